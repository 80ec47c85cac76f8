//! Credentials for registries, kept as Docker keeps them: in `config.json` and in credential helpers.
//!
//! Nothing here decides where a credential is sent; it only says which one belongs to which registry.

mod file;
mod helper;
mod secret;

pub use file::{CredentialError, CredentialFile, Kept};
pub use helper::HelperError;
pub use secret::Secret;

/// What a registry is shown to know the user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// A user name and password (or access token in its place).
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token, exchanged for access tokens at the registry's token server.
    IdentityToken {
        /// The user it belongs to; may be empty.
        username: String,
        /// The token.
        token: Secret,
    },
    /// A bearer token that is sent as it stands.
    RegistryToken(Secret),
}

/// Where credentials are looked up.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Nowhere: every registry is met as a stranger.
    #[default]
    Anonymous,
    /// In Docker's `config.json` and the helpers it names.
    File(CredentialFile),
    /// One credential for one registry, and none for any other.
    Fixed {
        /// The registry's name as in a reference.
        registry: String,
        /// The credential.
        credential: Credential,
    },
}

impl Credentials {
    /// The credential that belongs to a registry. Runs a helper where the file names one, so it may block.
    pub fn find(&self, registry: &str) -> Result<Option<Credential>, CredentialError> {
        match self {
            Credentials::Anonymous => Ok(None),
            Credentials::File(file) => file.find(registry),
            Credentials::Fixed { registry: owner, credential } => {
                Ok((owner == registry).then(|| credential.clone()))
            }
        }
    }
}
