//! Why a client cannot be registered: what stops the start.

use super::key_set::{MAX_KEYS, MAX_RSA_BITS, MIN_RSA_BITS};

/// A client that cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("client `{client_id}`: {fault}")]
pub struct ClientError {
    /// The client's id, as it is configured.
    pub client_id: String,
    /// What is wrong.
    pub fault: ClientFault,
}

/// What is wrong with a client or its key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientFault {
    /// The id is empty, too long or not printable.
    #[error("an id has 1 to 200 visible ASCII characters")]
    Id,
    /// The id is the one of local callers.
    #[error("this id is kept for local callers")]
    ReservedId,
    /// Two clients have this id.
    #[error("the id stands twice")]
    DuplicateId,
    /// Two clients have this issuer: a token would not say whose it is.
    #[error("the issuer `{0}` stands twice")]
    DuplicateIssuer(String),
    /// The list of algorithms is empty.
    #[error("`algorithms` is empty")]
    NoAlgorithm,
    /// The text is no JSON object with an array `keys` of objects.
    #[error("the key set is no JSON Web Key Set (line {line}, column {column})")]
    NoKeySet {
        /// From 1.
        line: usize,
        /// From 1; 0 before the first character.
        column: usize,
    },
    /// More than [`MAX_KEYS`] keys.
    #[error("the key set has {0} keys, and {MAX_KEYS} is the most")]
    TooManyKeys(usize),
    /// Not one key that a token of this client could be checked with.
    #[error("no key in the key set fits the client's `algorithms`")]
    NoUsableKey,
    /// A key without `kid`.
    #[error("key number {0} has no `kid`")]
    NoKeyId(usize),
    /// Two keys with this `kid`.
    #[error("the `kid` `{0}` stands twice in the key set")]
    DuplicateKeyId(String),
    /// A symmetric key: whoever can check with it can sign with it.
    #[error("key `{0}` is symmetric (`oct`)")]
    Symmetric(String),
    /// A private key, which no one but the client may have.
    #[error("key `{0}` is a private key: a key set holds public keys only")]
    Private(String),
    /// An RSA key of the wrong size.
    #[error("key `{kid}` has {bits} bits: RSA keys have {MIN_RSA_BITS} to {MAX_RSA_BITS}")]
    RsaSize {
        /// The key.
        kid: String,
        /// The size of its modulus.
        bits: usize,
    },
    /// An elliptic curve other than P-384, the one of ES384.
    #[error("key `{kid}` is on the curve `{curve}`: ES384 needs `P-384`")]
    Curve {
        /// The key.
        kid: String,
        /// Its curve; empty if it names none.
        curve: String,
    },
    /// A type of key that no accepted algorithm has.
    #[error("key `{kid}` is of the type `{kty}`: `EC` and `RSA` are accepted")]
    KeyType {
        /// The key.
        kid: String,
        /// Its type.
        kty: String,
    },
    /// The key says that it is for an algorithm that is not accepted, or does not fit its type.
    #[error("key `{kid}` is for `{algorithm}`: ES384 (EC) and RS384 (RSA) are accepted")]
    KeyAlgorithm {
        /// The key.
        kid: String,
        /// What it says.
        algorithm: String,
    },
    /// The numbers of the key are missing, no base64url, or of the wrong length.
    #[error("the numbers of key `{0}` are missing or unreadable")]
    Unreadable(String),
}
