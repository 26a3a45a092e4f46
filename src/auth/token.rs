//! One token: what it says, and whether that holds now.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Header, TokenData, Validation, dangerous, decode};
use serde::Deserialize;

use super::Reason;
use super::key_set::{Key, SigningAlgorithm};

/// How long a token may be, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far a client's clock may be off, in seconds.
pub const SKEW_S: u32 = 90;
/// How long a token may be valid, in seconds.
pub const MAX_LIFETIME_S: u32 = 3600;
/// How long ago a token may have been issued, in seconds.
pub const MAX_AGE_S: u32 = 600;

/// The token in an `Authorization` header.
pub(super) fn bearer(header: Option<&str>) -> Result<&str, Reason> {
    let (scheme, token) =
        header.and_then(|header| header.trim().split_once(' ')).ok_or(Reason::NoToken)?;
    let token = token.trim_start();
    match (scheme.eq_ignore_ascii_case("bearer"), token.len()) {
        (false, _) | (_, 0) => Err(Reason::NoToken),
        (true, 1..=MAX_TOKEN_BYTES) => Ok(token),
        (true, _) => Err(Reason::TooLong),
    }
}

/// What a token says, before anything of it is believed.
pub(super) struct Unproven<'t> {
    token: &'t str,
    header: Header,
    algorithm: SigningAlgorithm,
    issuer: String,
}

impl<'t> Unproven<'t> {
    pub(super) fn read(token: &'t str) -> Result<Unproven<'t>, Reason> {
        let TokenData { header, claims } =
            dangerous::insecure_decode::<Claims>(token).map_err(|_| Reason::Malformed)?;
        // RFC 7515, 4.1.11: an extension that must be understood and is not.
        if header.crit.is_some() {
            return Err(Reason::Critical);
        }
        let algorithm = SigningAlgorithm::ALL
            .into_iter()
            .find(|known| known.of_library() == header.alg)
            .ok_or(Reason::Algorithm)?;
        let issuer = claims.iss.ok_or(Reason::Issuer)?;
        Ok(Unproven { token, header, algorithm, issuer })
    }

    /// `iss`, as it stands there.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What it says that it is signed with.
    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// The key that it names, once its `jku` is known to be the registered one, or absent.
    pub(super) fn key_id(&self, registered_jku: Option<&str>) -> Result<&str, Reason> {
        // The URL is compared and never fetched.
        if let Some(named) = self.header.jku.as_deref()
            && registered_jku.is_some_and(|registered| registered != named)
        {
            return Err(Reason::KeyUrl);
        }
        self.header.kid.as_deref().ok_or(Reason::NoKeyId)
    }

    /// Checks the signature; from then on the claims are the client's word.
    pub(super) fn prove(&self, key: &Key) -> Result<Claims, Reason> {
        if key.algorithm != self.algorithm {
            return Err(Reason::KeyMismatch);
        }
        let mut signature_alone = Validation::new(key.algorithm.of_library());
        // The library's own checks ask the system's clock. Ours are below.
        signature_alone.required_spec_claims.clear();
        signature_alone.validate_exp = false;
        signature_alone.validate_aud = false;
        decode::<Claims>(self.token, &key.verifying, &signature_alone)
            .map(|proven| proven.claims)
            .map_err(|_| Reason::Signature)
    }
}

/// The claims that we read. Times are seconds since 1970, perhaps with a fraction.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    iat: Option<f64>,
    nbf: Option<f64>,
    jti: Option<String>,
}

/// `aud` is one text or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Claims {
    /// Checks that the token is meant for the called URL, or for one of the client's aliases.
    pub(super) fn check_audience(&self, called: &str, aliases: &[String]) -> Result<(), Reason> {
        let fits = |named: &String| named == called || aliases.contains(named);
        let meant = match &self.aud {
            None => false,
            Some(Audience::One(named)) => fits(named),
            Some(Audience::Several(named)) => named.iter().any(fits),
        };
        if meant { Ok(()) } else { Err(Reason::Audience) }
    }

    /// Checks the times, and says after when nobody accepts the token any more.
    pub(super) fn check_times(&self, now: Timestamp) -> Result<Timestamp, Reason> {
        let (skew, lifetime) = (f64::from(SKEW_S), f64::from(MAX_LIFETIME_S));
        let age = f64::from(MAX_AGE_S);
        let now_s = now.as_duration().as_secs_f64();
        let exp = self.exp.ok_or(Reason::NoExpiry)?;
        if exp <= now_s - skew {
            return Err(Reason::Expired);
        }
        // Without `iat` (ruling 36) the lifetime is counted from now.
        if exp - self.iat.unwrap_or(now_s + skew) > lifetime {
            return Err(Reason::LivesTooLong);
        }
        if self.iat.is_some_and(|iat| iat > now_s + skew) {
            return Err(Reason::IssuedLater);
        }
        if self.iat.is_some_and(|iat| iat < now_s - age) {
            return Err(Reason::TooOld);
        }
        if self.nbf.is_some_and(|nbf| nbf > now_s + skew) {
            return Err(Reason::NotYet);
        }
        let end = self.iat.map_or(exp + skew, |iat| (exp + skew).min(iat + age));
        let longest = SignedDuration::from_secs(i64::from(MAX_LIFETIME_S + 2 * SKEW_S));
        // A second more, since fractions are rounded.
        let left = SignedDuration::try_from_secs_f64(end - now_s + 1.0).unwrap_or(longest);
        Ok(now.checked_add(left).unwrap_or(Timestamp::MAX))
    }

    /// The token's own id: any text.
    pub(super) fn token_id(&self) -> Result<&str, Reason> {
        self.jti.as_deref().ok_or(Reason::NoTokenId)
    }
}
