//! Following a path inside a root, one component after the other.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use tug_store::view::Links;

use crate::tree::TreeError;

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// To something that is there, at this path without links.
    There(PathBuf),
    /// To nothing: this is the path without links that it would have.
    Missing(PathBuf),
}

/// Follows `path` from the root. `link_of` says of a path without links what it is: nothing, a link and where it
/// points to, or something else. Absolute links start again at the root, and nothing leads above the root.
pub(crate) fn resolve(
    path: &Path,
    links: Links,
    mut link_of: impl FnMut(&Path) -> Result<Seen, TreeError>,
) -> Result<Resolved, TreeError> {
    let mut rest: Vec<OsString> = parts(path);
    rest.reverse();
    let mut reached = PathBuf::new();
    let mut missing = false;
    let mut followed = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            reached.pop();
            missing = false;
            continue;
        }
        reached.push(&part);
        if missing {
            continue;
        }
        match link_of(&reached)? {
            Seen::Nothing => missing = true,
            Seen::Other => {}
            Seen::Link(_) if rest.is_empty() && links == Links::Keep => {}
            Seen::Link(target) => {
                followed += 1;
                if followed > LINKS_MAX {
                    return Err(TreeError::Links { path: path.to_owned() });
                }
                reached.pop();
                if target.is_absolute() {
                    reached.clear();
                }
                rest.extend(parts(&target).into_iter().rev());
            }
        }
    }
    Ok(if missing { Resolved::Missing(reached) } else { Resolved::There(reached) })
}

/// What is at a path.
pub(crate) enum Seen {
    /// Nothing.
    Nothing,
    /// A link.
    Link(PathBuf),
    /// Something that is no link.
    Other,
}

/// A path without the leading slash and without `.`; `..` at the root stays at the root.
pub(crate) fn relative(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in parts(path) {
        if part == ".." {
            clean.pop();
        } else {
            clean.push(part);
        }
    }
    clean
}

fn parts(path: &Path) -> Vec<OsString> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::Prefix(_) | Component::RootDir => None,
    };
    path.components().filter_map(part).collect()
}

const LINKS_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn world(path: &Path) -> Result<Seen, TreeError> {
        Ok(match path.to_str().unwrap() {
            "d" | "d/f" | "d/e" | "x" => Seen::Other,
            "abs" => Seen::Link("/d/e".into()),
            "d/up" => Seen::Link("../../../x".into()),
            "loop" => Seen::Link("loop".into()),
            "dangling" => Seen::Link("d/none/deep".into()),
            _ => Seen::Nothing,
        })
    }

    fn check(path: &str, want: Resolved) {
        assert_eq!(resolve(Path::new(path), Links::Follow, world).unwrap(), want, "{path}");
    }

    #[test]
    fn links_stay_inside() {
        check("/d/./f", Resolved::There("d/f".into()));
        check("abs", Resolved::There("d/e".into()));
        check("abs/../f", Resolved::There("d/f".into()));
        check("d/up", Resolved::There("x".into()));
        check("../../d", Resolved::There("d".into()));
        check("dangling", Resolved::Missing("d/none/deep".into()));
        check("new/dir/", Resolved::Missing("new/dir".into()));
        assert!(resolve(Path::new("loop"), Links::Follow, world).is_err());
        let kept = resolve(Path::new("abs"), Links::Keep, world).unwrap();
        assert_eq!(kept, Resolved::There("abs".into()));
    }
}
