//! What a hook call says of its FHIR server and of the token for it.

use std::borrow::Cow;
use std::time::Duration;

use reqwest::header::HeaderValue;

use super::Failure;
use crate::fhir::Node;

/// The server that a call names, and how it is asked.
#[derive(Debug)]
pub struct Access<'d> {
    /// `fhirServer`.
    pub(super) base: Cow<'d, str>,
    /// The token; `None`: an open server. A failure: it cannot be used.
    pub(super) token: Result<Option<Token>, Failure>,
    /// How long the token lives, counted from the call.
    pub lives: Option<Duration>,
}

/// A bearer token, as the value of its header.
#[derive(Clone)]
pub struct Token(pub(super) HeaderValue);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl<'d> Access<'d> {
    /// Reads `fhirServer` and `fhirAuthorization`; `None` where the call names no server.
    #[must_use]
    pub fn read(call: Node<'d>) -> Option<Access<'d>> {
        let base = call.text_of("fhirServer")?;
        let authorization = call.get("fhirAuthorization");
        let lives = authorization.and_then(|it| it.get("expires_in")).and_then(|it| {
            let text = it.number().map(Cow::Borrowed).or_else(|| it.text())?;
            text.parse().ok().map(Duration::from_secs)
        });
        Some(Access { base, token: token(authorization), lives })
    }
}

/// rulings 37: an empty token is none.
fn token(authorization: Option<Node<'_>>) -> Result<Option<Token>, Failure> {
    let Some(authorization) = authorization else { return Ok(None) };
    let Some(token) = authorization.text_of("access_token") else { return Ok(None) };
    let kind = authorization.text_of("token_type");
    if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Failure::Token);
    }
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Failure::Token)?;
    value.set_sensitive(true);
    Ok(Some(Token(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::{Document, Rules};

    fn header(authorization: &str) -> Result<Option<String>, Failure> {
        let text = format!(
            r#"{{"fhirServer":"https://ehr.test/fhir","fhirAuthorization":{authorization}}}"#
        );
        let document = Document::parse(text.as_bytes(), Rules::Lenient).unwrap();
        let access = Access::read(document.root()).unwrap();
        let shown = format!("{access:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        access.token.map(|token| token.map(|it| it.0.to_str().unwrap().to_owned()))
    }

    #[test]
    fn an_empty_token_is_none_and_one_that_is_no_bearer_is_not_sent() {
        assert_eq!(header("null"), Ok(None));
        assert_eq!(header(r#"{"access_token":"","token_type":"Bearer"}"#), Ok(None));
        let sent = Ok(Some("Bearer s3cret".to_owned()));
        assert_eq!(header(r#"{"access_token":"s3cret","token_type":"bearer"}"#), sent);
        assert_eq!(header(r#"{"access_token":"s3cret"}"#), sent);
        for bad in [
            r#"{"access_token":"s3cret","token_type":"DPoP"}"#,
            r#"{"access_token":"s3cret\r\nhost: evil"}"#,
        ] {
            assert_eq!(header(bad), Err(Failure::Token), "{bad}");
        }
    }
}
