//! A client's public keys, from a JSON Web Key Set.
//!
//! Strict: the set is the operator's own file, so a key that cannot be used safely stops the
//! start instead of being passed over.

use std::collections::{HashMap, HashSet};

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ClientFault;

/// How many keys a set may hold.
pub const MAX_KEYS: usize = 64;
/// The smallest RSA modulus, in bits.
pub const MIN_RSA_BITS: usize = 2048;
/// The largest RSA modulus, in bits: larger ones cannot be verified with.
pub const MAX_RSA_BITS: usize = 8192;
/// An uncompressed point on P-384: a byte for the form, and two coordinates.
const P384_POINT_BYTES: usize = 1 + 2 * 48;

/// An algorithm that a client may sign with.
// CDS Hooks 2.0.1 recommends these two; symmetric ones and `none` are forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub enum SigningAlgorithm {
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
}

impl SigningAlgorithm {
    /// Every algorithm that is accepted.
    pub const ALL: [SigningAlgorithm; 2] = [SigningAlgorithm::Es384, SigningAlgorithm::Rs384];

    /// Its name in a JWT.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SigningAlgorithm::Es384 => "ES384",
            SigningAlgorithm::Rs384 => "RS384",
        }
    }

    /// The library's word for it.
    pub(super) fn of_library(self) -> Algorithm {
        match self {
            SigningAlgorithm::Es384 => Algorithm::ES384,
            SigningAlgorithm::Rs384 => Algorithm::RS384,
        }
    }
}

/// One public key.
pub(super) struct Key {
    /// The only algorithm that it is used with.
    pub(super) algorithm: SigningAlgorithm,
    /// What signatures are checked with.
    pub(super) verifying: DecodingKey,
}

/// The keys of one client, by `kid`.
pub(super) struct KeySet(HashMap<String, Key>);

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<RawKey>,
}

/// A key as it is written. What we do not know in it is passed over (RFC 7517, 4).
#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// There in private keys only. Never kept.
    d: Option<IgnoredAny>,
}

impl KeySet {
    /// Reads a key set for a client that may sign with `algorithms`.
    ///
    /// # Errors
    /// It is no key set, one of its keys is not safe or not complete, or none is of use.
    pub(super) fn read(text: &str, algorithms: &[SigningAlgorithm]) -> Result<KeySet, ClientFault> {
        let set: RawSet = serde_json::from_str(text).map_err(|problem| ClientFault::NoKeySet {
            line: problem.line(),
            column: problem.column(),
        })?;
        if set.keys.len() > MAX_KEYS {
            return Err(ClientFault::TooManyKeys(set.keys.len()));
        }
        let mut seen = HashSet::new();
        let mut keys = HashMap::new();
        for (place, raw) in set.keys.iter().enumerate() {
            let kid = raw.kid.clone().ok_or(ClientFault::NoKeyId(place + 1))?;
            if !seen.insert(kid.clone()) {
                return Err(ClientFault::DuplicateKeyId(kid));
            }
            let key = raw.read(&kid)?;
            if raw.is_for_verifying() && algorithms.contains(&key.algorithm) {
                keys.insert(kid, key);
            }
        }
        if keys.is_empty() { Err(ClientFault::NoUsableKey) } else { Ok(KeySet(keys)) }
    }

    /// The key with exactly this id.
    pub(super) fn find(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid)
    }
}

impl RawKey {
    /// `use` and `key_ops` are both optional; what they say holds.
    fn is_for_verifying(&self) -> bool {
        self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }

    fn read(&self, kid: &str) -> Result<Key, ClientFault> {
        // A symmetric key would be taken for an HMAC secret.
        if self.kty == "oct" {
            return Err(ClientFault::Symmetric(kid.to_owned()));
        }
        if self.d.is_some() {
            return Err(ClientFault::Private(kid.to_owned()));
        }
        let key = match self.kty.as_str() {
            "EC" => self.read_ec(kid)?,
            "RSA" => self.read_rsa(kid)?,
            other => {
                return Err(ClientFault::KeyType { kid: kid.to_owned(), kty: other.to_owned() });
            }
        };
        match &self.alg {
            // An encryption key has an `alg` of its own kind, and is not used.
            Some(named) if self.is_for_verifying() && named != key.algorithm.as_str() => {
                Err(ClientFault::KeyAlgorithm { kid: kid.to_owned(), algorithm: named.clone() })
            }
            _ => Ok(key),
        }
    }

    fn read_ec(&self, kid: &str) -> Result<Key, ClientFault> {
        let unreadable = || ClientFault::Unreadable(kid.to_owned());
        let curve = self.crv.as_deref().unwrap_or_default();
        // The library does not look at the curve.
        if curve != "P-384" {
            return Err(ClientFault::Curve { kid: kid.to_owned(), curve: curve.to_owned() });
        }
        let (x, y) = self.x.as_deref().zip(self.y.as_deref()).ok_or_else(unreadable)?;
        let verifying = DecodingKey::from_ec_components(x, y).map_err(|_| unreadable())?;
        match verifying.kind() {
            DecodingKeyKind::SecretOrDer(point) if point.len() == P384_POINT_BYTES => {
                Ok(Key { algorithm: SigningAlgorithm::Es384, verifying })
            }
            _ => Err(unreadable()),
        }
    }

    fn read_rsa(&self, kid: &str) -> Result<Key, ClientFault> {
        let unreadable = || ClientFault::Unreadable(kid.to_owned());
        let (n, e) = self.n.as_deref().zip(self.e.as_deref()).ok_or_else(unreadable)?;
        let verifying = DecodingKey::from_rsa_components(n, e).map_err(|_| unreadable())?;
        let DecodingKeyKind::RsaModulusExponent { n, .. } = verifying.kind() else {
            return Err(unreadable());
        };
        let bits = bits_of(n);
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            return Err(ClientFault::RsaSize { kid: kid.to_owned(), bits });
        }
        Ok(Key { algorithm: SigningAlgorithm::Rs384, verifying })
    }
}

/// The length of a big-endian number in bits, without leading zeros.
fn bits_of(number: &[u8]) -> usize {
    let mut rest = number.iter().skip_while(|byte| **byte == 0);
    match rest.next() {
        Some(first) => (8 - first.leading_zeros() as usize) + 8 * rest.count(),
        None => 0,
    }
}
