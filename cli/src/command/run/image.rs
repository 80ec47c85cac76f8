//! The image that is run: from the store, or fetched.

use tug_oci::{Platform, Reference};
use tug_store::image::Image;

use super::{Args, Pull};
use crate::command::pull::{self, Report};
use crate::command_error::{Attempt, CommandError};
use crate::context::Context;
use crate::listing;
use crate::transfers::Shown;

/// Finds the image, and fetches it when it is to be.
pub(super) fn find(name: &str, args: &Args, context: &Context) -> Result<Image, CommandError> {
    if args.pull != Pull::Always
        && let Some(image) = local(name, args, context)?
    {
        return Ok(image);
    }
    if args.pull == Pull::Never {
        return Err(listing::no_such_image(name));
    }
    let reference: Reference = name.parse()?;
    let platform = args.platform.clone().unwrap_or_else(Platform::host);
    if args.quiet {
        return Ok(pull::fetch(&reference, &platform, Report::Silent, context)?.image);
    }
    if args.pull == Pull::Missing {
        context.note(&format!("Unable to find image '{}' locally\n", reference.familiar()));
    }
    let pulled = pull::fetch(&reference, &platform, Report::Shown(Shown::ErrorLines), context)?;
    context.note(&format!(
        "Digest: {}\nStatus: {} for {}\n",
        pulled.target.digest,
        pull::status(&pulled),
        reference.familiar()
    ));
    Ok(pulled.image)
}

fn local(name: &str, args: &Args, context: &Context) -> Result<Option<Image>, CommandError> {
    let store = context.store()?;
    let Some(listed) = store.images().find(name).trying(|| format!("cannot find image {name}"))? else {
        return Ok(None);
    };
    match &args.platform {
        // What is here for another platform is no hindrance to fetching the right one.
        Some(platform) => {
            let image = store.images().read(&listed.target, platform).ok();
            Ok(image.filter(|image| image.config.platform.satisfies(platform)))
        }
        None => {
            Ok(Some(listing::read(store, &listed.target).trying(|| format!("cannot read image {name}"))?))
        }
    }
}
