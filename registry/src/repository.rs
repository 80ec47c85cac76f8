//! A repository of a registry: the addresses of what is in it and the rights that are needed.

use hyper::Method;
use tug_oci::{Digest, Reference};

use crate::auth::Purpose;
use crate::session::{Call, Session};

/// A repository, for one purpose.
pub(crate) struct Repository<'a> {
    pub(crate) session: &'a Session,
    registry: &'a str,
    name: &'a str,
    scopes: Vec<String>,
}

/// What is done in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

impl<'a> Repository<'a> {
    pub(crate) fn of(session: &'a Session, reference: &'a Reference, access: Access) -> Repository<'a> {
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        let name = reference.repository();
        let scopes = vec![format!("repository:{name}:{actions}")];
        Repository { session, registry: reference.registry(), name, scopes }
    }

    pub(crate) fn manifest(&self, method: Method, tag_or_digest: &str) -> Call<'_> {
        self.call(method, &format!("manifests/{tag_or_digest}"))
    }

    pub(crate) fn blob(&self, method: Method, digest: &Digest) -> Call<'_> {
        self.call(method, &format!("blobs/{digest}"))
    }

    pub(crate) fn call(&self, method: Method, rest: &str) -> Call<'_> {
        Call::new(self.purpose(), method, format!("/v2/{}/{rest}", self.name))
    }

    pub(crate) fn purpose(&self) -> Purpose<'_> {
        Purpose { registry: self.registry, scopes: &self.scopes }
    }
}
