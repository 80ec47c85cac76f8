//! `COPY` and `ADD`.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::heredoc::{Heredoc, Opening};
use crate::instruction::{Add, Copy, CopySource};
use crate::parse::flags::{self, Takes};
use crate::parse::problem::Problem;
use crate::syntax::{Arguments, Node};
use crate::word::Word;

pub(super) fn copy(node: &Node) -> Result<Copy, Problem> {
    let flags = flags::read(
        node,
        &[
            ("from", Takes::Value),
            ("chown", Takes::Value),
            ("chmod", Takes::Value),
            ("link", Takes::Switch),
            ("parents", Takes::Switch),
            ("exclude", Takes::Values),
        ],
    )?;
    let (sources, destination) = sources_and_destination(node)?;
    Ok(Copy {
        sources,
        destination,
        from: flags.value("from").filter(|from| !from.text.is_empty()),
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.switch("link").unwrap_or_default(),
        parents: flags.switch("parents").unwrap_or_default(),
        exclude: flags.values("exclude"),
    })
}

pub(super) fn add(node: &Node) -> Result<Add, Problem> {
    let flags = flags::read(
        node,
        &[
            ("chown", Takes::Value),
            ("chmod", Takes::Value),
            ("link", Takes::Switch),
            ("exclude", Takes::Values),
            ("checksum", Takes::Value),
            ("unpack", Takes::Switch),
            ("keep-git-dir", Takes::Switch),
        ],
    )?;
    let (sources, destination) = sources_and_destination(node)?;
    Ok(Add {
        sources,
        destination,
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.switch("link").unwrap_or_default(),
        exclude: flags.values("exclude"),
        checksum: flags.value("checksum"),
        unpack: flags.switch("unpack"),
        keep_git_dir: flags.switch("keep-git-dir"),
    })
}

fn sources_and_destination(node: &Node) -> Result<(Vec<CopySource>, Word), Problem> {
    let words = match &node.arguments {
        Arguments::Words(words) | Arguments::Json(words) => words.as_slice(),
        _ => &[],
    };
    let Some((destination, sources @ [_, ..])) = words.split_last() else {
        return Err(Problem::needs(node, "at least one source and a destination"));
    };
    if Opening::new(&destination.text).is_some() {
        let message = "the destination cannot be a heredoc";
        return Err(Diagnostic::error(destination.span, message).into());
    }
    // Of two with one name the last one counts, as the first one's file is overwritten.
    let heredocs: BTreeMap<&str, &Heredoc> =
        node.heredocs.iter().map(|heredoc| (heredoc.name.as_str(), heredoc)).collect();
    let source = |word: &Word| match Opening::new(&word.text)
        .and_then(|opening| heredocs.get(opening.name.as_str()))
    {
        Some(heredoc) => CopySource::Heredoc((*heredoc).clone()),
        None => CopySource::Path(word.clone()),
    };
    Ok((sources.iter().map(source).collect(), destination.clone()))
}
