//! Instructions that change the config only.

use tug_dockerfile::instruction::{CommandForm, Healthcheck, HealthcheckTest, InstructionKind};
use tug_dockerfile::{Span, Word};

use crate::lower::pass::Pass;
use crate::lower::refusal::{LowerError, Refusal};
use crate::lower::stage::{Command, StageState};

pub(super) fn apply(
    pass: &Pass<'_>,
    state: &mut StageState,
    kind: &InstructionKind,
) -> Result<(), LowerError> {
    match kind {
        InstructionKind::Cmd(form) => {
            let args = form.argv(&state.shell());
            state.note(format!("CMD {}", quoted(&args)));
            state.container().cmd = Some(args);
            state.container().args_escaped = None;
            state.command = Command::Own;
        }
        InstructionKind::Entrypoint(form) => entrypoint(state, form),
        InstructionKind::Expose(words) => expose(pass, state, words)?,
        InstructionKind::Healthcheck(check) => healthcheck(state, check),
        InstructionKind::Maintainer(name) => {
            state.note(format!("MAINTAINER {name}"));
            state.config.author = Some(name.text.clone());
        }
        InstructionKind::Onbuild(onbuild) => {
            state.note(format!("ONBUILD {}", onbuild.trigger));
            state.container().on_build.push(onbuild.trigger.clone());
        }
        InstructionKind::Shell(words) => {
            let shell: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
            state.note(format!("SHELL [{}]", shell.join(" ")));
            state.container().shell = shell;
        }
        InstructionKind::Stopsignal(word) => {
            let signal = filled(pass, state, ("STOPSIGNAL", word))?;
            state.note(format!("STOPSIGNAL {signal}"));
            state.container().stop_signal = Some(signal);
        }
        InstructionKind::User(word) => {
            let user = filled(pass, state, ("USER", word))?;
            state.note(format!("USER {user}"));
            state.container().user = user;
        }
        InstructionKind::Volume(words) => {
            let paths: Vec<String> =
                words.iter().map(|word| filled(pass, state, ("VOLUME", word))).collect::<Result<_, _>>()?;
            state.note(format!("VOLUME [{}]", paths.join(" ")));
            paths.into_iter().for_each(|path| {
                state.container().volumes.insert(path, Default::default());
            });
        }
        InstructionKind::Add(_)
        | InstructionKind::Arg(_)
        | InstructionKind::Copy(_)
        | InstructionKind::Env(_)
        | InstructionKind::Label(_)
        | InstructionKind::Run(_)
        | InstructionKind::Workdir(_) => unreachable!("dispatched to their own modules"),
    }
    Ok(())
}

/// An entry point forgets a command that was meant for another one.
fn entrypoint(state: &mut StageState, form: &CommandForm) {
    let args = form.argv(&state.shell());
    state.note(format!("ENTRYPOINT {}", quoted(&args)));
    let inherited = state.command == Command::Inherited;
    let config = state.container();
    config.entrypoint = Some(args);
    if inherited {
        config.cmd = None;
    }
}

fn healthcheck(state: &mut StageState, check: &Healthcheck) {
    let config = match check {
        Healthcheck::None => {
            tug_oci::Healthcheck { test: vec!["NONE".to_owned()], ..tug_oci::Healthcheck::default() }
        }
        Healthcheck::Test(test) => healthcheck_test(test),
    };
    state.note(format!("HEALTHCHECK {}", quoted(&config.test)));
    state.container().healthcheck = Some(config);
}

fn healthcheck_test(test: &HealthcheckTest) -> tug_oci::Healthcheck {
    let mut words = match &test.command {
        CommandForm::Shell(_) => vec!["CMD-SHELL".to_owned()],
        CommandForm::Exec(_) => vec!["CMD".to_owned()],
    };
    words.append(&mut test.command.argv(&[]));
    let nanoseconds = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    tug_oci::Healthcheck {
        test: words,
        interval: nanoseconds(test.interval),
        timeout: nanoseconds(test.timeout),
        start_period: nanoseconds(test.start_period),
        start_interval: nanoseconds(test.start_interval),
        retries: i64::from(test.retries),
    }
}

fn expose(pass: &Pass<'_>, state: &mut StageState, words: &[Word]) -> Result<(), LowerError> {
    let mut ports = Vec::new();
    for word in words {
        for text in state.variables.words(word, pass.escape)? {
            ports.append(&mut port_range(&text, word.span)?);
        }
    }
    ports.sort();
    ports.dedup();
    let named: Vec<String> = ports.iter().map(|(port, protocol)| format!("{port}/{protocol}")).collect();
    state.note(format!("EXPOSE [{}]", named.join(" ")));
    named.into_iter().for_each(|port| {
        state.container().exposed_ports.insert(port, Default::default());
    });
    Ok(())
}

/// `[[address:]host:]port[-port][/protocol]`; what stands before the container's port says nothing to an image.
fn port_range(text: &str, span: Span) -> Result<Vec<(u16, String)>, LowerError> {
    let wrong = || Refusal::Port { text: text.to_owned() }.at(span);
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(wrong());
    }
    let ports = ports.rsplit_once(':').map_or(ports, |(_, container)| container);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| (port, protocol.clone())).collect())
}

fn filled(
    pass: &Pass<'_>,
    state: &StageState,
    (instruction, word): (&'static str, &Word),
) -> Result<String, LowerError> {
    let text = pass.word(state, word)?;
    match text.trim().is_empty() {
        true => Err(Refusal::Empty { instruction, word: word.text.clone() }.at(word.span)),
        false => Ok(text),
    }
}

/// As BuildKit writes lists into the history.
fn quoted(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" "))
}
