//! `ENV`, `ARG`, `LABEL`.

use tug_dockerfile::instruction::{Arg, Pair};

use crate::lower::pass::Pass;
use crate::lower::refusal::LowerError;
use crate::lower::scope::is_proxy;
use crate::lower::stage::StageState;

pub(super) fn env(pass: &Pass<'_>, state: &mut StageState, pairs: &[Pair]) -> Result<(), LowerError> {
    let expanded = expanded(pass, state, pairs)?;
    for (name, value) in &expanded {
        state.variables.set(name, value);
        let pair = format!("{name}={value}");
        let env = &mut state.container().env;
        match env.iter_mut().find(|old| old.split_once('=').map_or(old.as_str(), |(known, _)| known) == name)
        {
            Some(old) => *old = pair,
            None => env.push(pair),
        }
    }
    state.note(format!("ENV {}", joined(&expanded)));
    Ok(())
}

pub(super) fn label(pass: &Pass<'_>, state: &mut StageState, pairs: &[Pair]) -> Result<(), LowerError> {
    let expanded = expanded(pass, state, pairs)?;
    state.note(format!("LABEL {}", joined(&expanded)));
    state.container().labels.extend(expanded);
    Ok(())
}

/// An argument's value is what the build gives, or else its default, or else that of the global one.
pub(super) fn arg(pass: &Pass<'_>, state: &mut StageState, arg: &Arg) -> Result<(), LowerError> {
    let mut words = Vec::new();
    for pair in &arg.pairs {
        let name = pair.name.as_str();
        let given = pass.input.request.build_args.get(name).cloned();
        let value = match (given, &pair.default) {
            (Some(given), _) => Some(given),
            (None, Some(default)) => Some(pass.word(state, default)?),
            (None, None) => pass.globals.variables.value(name).map(str::to_owned),
        };
        words.push(value.as_ref().map_or_else(|| name.to_owned(), |value| format!("{name}={value}")));
        if let Some(value) = &value {
            state.variables.set(name, value);
        }
        if !is_proxy(name) {
            state.args.retain(|(known, _)| known != name);
            state.args.push((name.to_owned(), value));
        }
    }
    state.note(format!("ARG {}", words.join(" ")));
    Ok(())
}

/// All pairs are expanded with what was known before the instruction.
fn expanded(
    pass: &Pass<'_>,
    state: &StageState,
    pairs: &[Pair],
) -> Result<Vec<(String, String)>, LowerError> {
    pairs.iter().map(|pair| Ok((pass.word(state, &pair.name)?, pass.word(state, &pair.value)?))).collect()
}

fn joined(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
