//! Users and groups of an image: `user[:group]` looked up in the image's own `passwd` and `group` files.

/// The ids a process runs with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserIds {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// All groups of the process: `gid` first, so that it cannot be dropped, then the others in the order of the
    /// group file.
    pub additional_gids: Vec<u32>,
    /// The home directory, when the user has an entry.
    pub home: Option<String>,
}

/// Why a user or group cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// No such name in the image.
    #[error("user {0:?} is not in the image's /etc/passwd")]
    UnknownUser(String),
    /// No such name in the image.
    #[error("group {0:?} is not in the image's /etc/group")]
    UnknownGroup(String),
    /// A number that is no id.
    #[error("id {0:?} is out of range: ids go from 0 to {ID_MAX}")]
    Range(String),
}

/// What `text` (`user`, `user:group`, names or ids; empty is root) means where `passwd` and `group` are the image's
/// files. Without a group it is the user's own, and the groups that list the user come with it.
pub fn resolve(text: &str, passwd: &str, group: &str) -> Result<UserIds, UserError> {
    let (user, group_name) = match text.split_once(':') {
        Some((user, group_name)) => (user, Some(group_name).filter(|name| !name.is_empty())),
        None => (text, None),
    };
    let entry = find_user(if user.is_empty() { "0" } else { user }, passwd);
    let uid = match (&entry, id(user)?) {
        (Some(entry), _) => entry.uid,
        (None, Some(uid)) => uid,
        (None, None) if user.is_empty() => 0,
        (None, None) => return Err(UserError::UnknownUser(user.to_owned())),
    };
    let home = entry.as_ref().map(|entry| entry.home.clone());
    match group_name {
        Some(name) => {
            let gid = resolve_group(name, group)?;
            Ok(UserIds { uid, gid, additional_gids: vec![gid], home })
        }
        None => {
            let gid = entry.as_ref().map_or(0, |entry| entry.gid);
            let additional_gids = match &entry {
                Some(entry) => groups_of(&entry.name, gid, group),
                None => vec![gid],
            };
            Ok(UserIds { uid, gid, additional_gids, home })
        }
    }
}

/// User and group that `--chown=text` means. A lone id stands for the user and the group, as Docker has it; a lone
/// name for the user and the user's group.
pub fn resolve_owner(text: &str, passwd: &str, group: &str) -> Result<(u32, u32), UserError> {
    let (user, group_name) = match text.split_once(':') {
        Some((user, name)) => (user, Some(name).filter(|name| !name.is_empty())),
        None => (text, None),
    };
    let by_id = id(user)?;
    let entry = if by_id.is_some() { None } else { find_user(user, passwd) };
    let uid = match (by_id, &entry) {
        (Some(uid), _) => uid,
        (None, Some(entry)) => entry.uid,
        (None, None) if user.is_empty() => 0,
        (None, None) => return Err(UserError::UnknownUser(user.to_owned())),
    };
    let gid = match (group_name, &entry) {
        (Some(name), _) => resolve_group(name, group)?,
        (None, Some(entry)) => entry.gid,
        (None, None) => uid,
    };
    Ok((uid, gid))
}

fn resolve_group(name: &str, group: &str) -> Result<u32, UserError> {
    let by_name = group_lines(group).find(|entry| entry.name == name);
    match (by_name, id(name)?) {
        (Some(entry), _) => Ok(entry.gid),
        (None, Some(gid)) => Ok(gid),
        (None, None) => Err(UserError::UnknownGroup(name.to_owned())),
    }
}

struct Passwd {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

/// The entry of a user by name, or by id.
fn find_user(user: &str, passwd: &str) -> Option<Passwd> {
    let entries = || passwd.lines().take(LINES_MAX).filter_map(passwd_line);
    let wanted: Option<u32> = user.parse().ok();
    entries().find(|entry| entry.name == user).or_else(|| entries().find(|entry| Some(entry.uid) == wanted))
}

fn passwd_line(line: &str) -> Option<Passwd> {
    let mut fields = line.trim().split(':');
    let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?.to_owned();
    let _password = fields.next()?;
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let _comment = fields.next();
    let home = fields.next().unwrap_or_default().to_owned();
    Some(Passwd { name, uid, gid, home })
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn group_lines(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().take(LINES_MAX).filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let _password = fields.next()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    })
}

fn groups_of(user: &str, own: u32, group: &str) -> Vec<u32> {
    let mut gids = vec![own];
    for entry in group_lines(group).filter(|entry| entry.members.split(',').any(|member| member == user)) {
        if !gids.contains(&entry.gid) {
            gids.push(entry.gid);
        }
    }
    gids
}

/// The number a text is, if it is one.
fn id(text: &str) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= ID_MAX => Ok(Some(id)),
        _ => Err(UserError::Range(text.to_owned())),
    }
}

/// The largest id: the kernel's `-1` and what is above 2^31 are kept out, as in other engines.
const ID_MAX: u32 = i32::MAX as u32;

/// More lines than any real `passwd` or `group` has.
const LINES_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\ndaemon:x:1:1::/:/bin/false\napp:x:1000:1001::/home/app:/bin/sh\n";
    const GROUP: &str = "root:x:0:\ndaemon:x:1:\nwheel:x:10:root,app\napp:x:1001:\nvideo:x:44:app\n";

    fn check(text: &str, want: (u32, u32, &[u32], Option<&str>)) {
        let ids = resolve(text, PASSWD, GROUP).unwrap();
        assert_eq!(
            (ids.uid, ids.gid, ids.additional_gids.as_slice(), ids.home.as_deref()),
            want,
            "for {text:?}"
        );
    }

    #[test]
    fn users_are_names_or_ids_with_their_groups() {
        check("", (0, 0, &[0, 10], Some("/root")));
        check("root", (0, 0, &[0, 10], Some("/root")));
        check("app", (1000, 1001, &[1001, 10, 44], Some("/home/app")));
        check("1000", (1000, 1001, &[1001, 10, 44], Some("/home/app")));
        check("app:daemon", (1000, 1, &[1], Some("/home/app")));
        check("1234", (1234, 0, &[0], None));
        check("1234:1234", (1234, 1234, &[1234], None));
    }

    #[test]
    fn unknown_names_and_large_ids_are_refused() {
        assert_eq!(resolve("nobody", PASSWD, GROUP), Err(UserError::UnknownUser("nobody".into())));
        assert_eq!(resolve("app:none", PASSWD, GROUP), Err(UserError::UnknownGroup("none".into())));
        assert_eq!(resolve("4294967295", PASSWD, GROUP), Err(UserError::Range("4294967295".into())));
    }

    #[test]
    fn owners_take_a_lone_id_for_both() {
        assert_eq!(resolve_owner("1234", PASSWD, GROUP), Ok((1234, 1234)));
        assert_eq!(resolve_owner("daemon", PASSWD, GROUP), Ok((1, 1)));
        assert_eq!(resolve_owner("1000:wheel", PASSWD, GROUP), Ok((1000, 10)));
        assert_eq!(resolve_owner("daemon:55", PASSWD, GROUP), Ok((1, 55)));
    }
}
