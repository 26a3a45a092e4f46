//! Bodies: JSON only, of limited size and patience.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};

use super::Limits;
use super::problem::Problem;

/// Reads a JSON body within the limits.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: Limits,
) -> Result<Bytes, Problem> {
    if !is_json(headers) {
        return Err(Problem::media_type());
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse::<u64>().ok()).is_some_and(|length| {
        usize::try_from(length).is_ok_and(|length| length > limits.body_bytes)
    }) {
        return Err(Problem::too_large(limits.body_bytes));
    }
    let reading = axum::body::to_bytes(body, limits.body_bytes);
    match tokio::time::timeout(limits.request_time, reading).await {
        Err(_) => Err(Problem::too_slow()),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(if is_too_long(&error) {
            Problem::too_large(limits.body_bytes)
        } else {
            Problem::broken_off()
        }),
    }
}

/// rulings 40: with or without charset; a client that names nothing means JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return true };
    let Ok(value) = value.to_str() else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence.eq_ignore_ascii_case("application/fhir+json")
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if current.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = current.source();
    }
    false
}
