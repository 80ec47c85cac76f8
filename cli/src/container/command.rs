//! What a container runs and in which environment: the image's word and the person's.

use tug_oci::ContainerConfig;

/// The program and its arguments. An entry point that was given takes the place of the image's, whose command is
/// then not meant either. `None`: neither says anything.
pub(crate) fn command(
    config: &ContainerConfig,
    entrypoint: Option<&str>,
    arguments: &[String],
) -> Option<Vec<String>> {
    let mut command = match entrypoint {
        Some("") => Vec::new(),
        Some(program) => vec![program.to_owned()],
        None => config.entrypoint.clone().unwrap_or_default(),
    };
    match (arguments, entrypoint) {
        ([], None) => command.extend(config.cmd.iter().flatten().cloned()),
        (arguments, _) => command.extend_from_slice(arguments),
    }
    Some(command).filter(|command| !command.is_empty())
}

/// Environment variables, later ones replacing earlier ones of the same name in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Env(Vec<String>);

impl Env {
    /// Sets `NAME=value`; a name alone is taken out.
    pub(crate) fn set(&mut self, pair: &str) {
        let name = pair.split('=').next().unwrap_or(pair);
        let same = |known: &String| known.split('=').next() == Some(name);
        match (self.0.iter().position(same), pair.contains('=')) {
            (Some(at), true) => pair.clone_into(&mut self.0[at]),
            (Some(at), false) => drop(self.0.remove(at)),
            (None, true) => self.0.push(pair.to_owned()),
            (None, false) => {}
        }
    }

    /// Sets a variable if there is none of its name.
    pub(crate) fn set_default(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.0.push(format!("{name}={value}"));
        }
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// All of them.
    pub(crate) fn into_pairs(self) -> Vec<String> {
        self.0
    }
}

/// Why a file of variables is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvFileError {
    /// A name that no variable can have.
    #[error("line {line}: {name:?} is no name of a variable")]
    Name {
        /// From 1.
        line: usize,
        /// What stands there.
        name: String,
    },
}

/// The lines of an `--env-file`: `NAME=value` as it stands, or a name alone; comments and empty lines left out.
pub(crate) fn env_file(text: &str) -> Result<Vec<String>, EnvFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut pairs = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(EnvFileError::Name { line: at + 1, name: name.to_owned() });
        }
        pairs.push(line.to_owned());
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn entry_point_and_command() {
        let config = |entrypoint: &str, cmd: &str| ContainerConfig {
            entrypoint: Some(words(entrypoint)).filter(|words| !words.is_empty()),
            cmd: Some(words(cmd)).filter(|words| !words.is_empty()),
            ..ContainerConfig::default()
        };
        let check = |config: &ContainerConfig, entrypoint: Option<&str>, arguments: &str, expected: &str| {
            let found = command(config, entrypoint, &words(arguments)).unwrap_or_default();
            assert_eq!(found, words(expected), "{entrypoint:?} {arguments}");
        };
        let both = config("e1 e2", "c1 c2");
        check(&both, None, "", "e1 e2 c1 c2");
        check(&both, None, "a b", "e1 e2 a b");
        check(&both, Some("x"), "", "x");
        check(&both, Some("x"), "a", "x a");
        check(&both, Some(""), "a", "a");
        check(&config("", "c1"), None, "", "c1");
        check(&config("", "c1"), None, "a", "a");
        assert_eq!(command(&config("", ""), None, &[]), None);
        assert_eq!(command(&both, Some(""), &[]), None);
    }

    #[test]
    fn later_variables_win() {
        let mut env = Env::default();
        for pair in ["A=1", "B=2", "A=3=4", "B", "C"] {
            env.set(pair);
        }
        env.set_default("A", "no");
        env.set_default("HOME", "/");
        assert_eq!(env.get("A"), Some("3=4"));
        assert_eq!(env.into_pairs(), ["A=3=4", "HOME=/"]);
    }

    #[test]
    fn env_files() {
        assert_eq!(env_file("# c\n\nA=b c \n  D\nE=").unwrap(), ["A=b c ", "D", "E="]);
        let wrong = env_file("A=1\nB C=2").unwrap_err();
        assert_eq!(wrong, EnvFileError::Name { line: 2, name: "B C".to_owned() });
    }
}
