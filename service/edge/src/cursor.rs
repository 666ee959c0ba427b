//! Lists by page: `?limit=50&after=` → `{items, next}` and `Link: rel="next"` (experience §7).
//!
//! A cursor is the time and id of the last row seen. It carries no authority: another tenant's cursor shows only own rows, since the
//! tenant comes from the token.

use crate::answer::Answer;
use crate::problem::{Problem, pages};
use crypto::base64;
use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tenancy::After;

/// Rows of a page where the query says nothing (experience §13).
pub const PAGE_LIMIT: usize = 50;
/// Rows of a page (experience §13): what fits one answer of a few hundred kilobytes.
pub const PAGE_LIMIT_MAX: usize = 200;
/// Characters of a cursor: a time and an id.
const CURSOR_CHARS_MAX: usize = 128;

/// The query of a list without filters. Lists with filters put these two members into their own query (`serde(flatten)` would
/// lose the refusal of unknown parameters).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Rows of the page, 1 to 200; 50 where none is given.
    #[schemars(range(min = 1, max = 200))]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

impl PageQuery {
    /// The page that is asked for.
    ///
    /// # Errors
    /// `api/invalid-query`.
    pub fn page(&self) -> Result<Page, Problem> {
        page(self.limit, self.after.as_deref())
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows, 1 to 200.
    pub limit: usize,
    /// Behind which row it begins.
    pub after: After,
}

impl Page {
    /// Rows to read: one more than is shown, which tells whether there is a next page.
    #[must_use]
    pub const fn read_limit(&self) -> usize {
        self.limit + 1
    }
}

/// The page that `limit` and `after` ask for.
///
/// # Errors
/// `api/invalid-query`.
pub fn page(limit: Option<u32>, after: Option<&str>) -> Result<Page, Problem> {
    let limit = limit.map_or(Ok(PAGE_LIMIT), |limit| {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if (1..=PAGE_LIMIT_MAX).contains(&limit) {
            Ok(limit)
        } else {
            Err(Problem::of(&pages::INVALID_QUERY).at("?limit", "must be 1 to 200"))
        }
    })?;
    let after = match after {
        None => After::start(),
        Some(text) => parse(text)
            .ok_or_else(|| Problem::of(&pages::INVALID_QUERY).at("?after", "must be the next of a page"))?,
    };
    Ok(Page { limit, after })
}

/// A page as it is answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Listing<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last.
    pub next: Option<String>,
}

impl<T: Serialize> Listing<T> {
    /// A page out of at most [`Page::read_limit`] rows. `key` gives a row's time and id, `path` is the collection's.
    pub fn answer(mut items: Vec<T>, page: &Page, path: &str, key: impl Fn(&T) -> After) -> Answer<Self> {
        let more = items.len() > page.limit;
        items.truncate(page.limit);
        let next = items.last().filter(|_| more).map(|last| encode(&key(last)));
        let link =
            next.as_ref().map(|next| format!("<{path}?limit={}&after={next}>; rel=\"next\"", page.limit));
        let answer = Answer::ok(Self { items, next });
        match link {
            Some(link) => answer.header(header::LINK, &link),
            None => answer,
        }
    }
}

/// The text of a cursor.
#[must_use]
pub fn encode(after: &After) -> String {
    base64::url_encode(format!("{}:{}", after.at_ms, after.id).as_bytes())
}

fn parse(text: &str) -> Option<After> {
    if text.len() > CURSOR_CHARS_MAX {
        return None;
    }
    let plain = String::from_utf8(base64::url_decode(text).ok()?).ok()?;
    let (at_ms, id) = plain.split_once(':')?;
    let sound = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    (sound && !id.is_empty()).then(|| Some(After { at_ms: at_ms.parse().ok()?, id: id.to_owned() }))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_a_forged_one_is_refused() {
        let after = After { at_ms: 1_767_225_600_000, id: "svc_0123456789abcdefghjkmnpqrs".to_owned() };
        assert_eq!(page(None, Some(&encode(&after))).unwrap().after, after);
        for forged in ["", "x", "!!", "MTIz", "a".repeat(500).as_str(), &base64::url_encode(b"1:' OR 1=1")] {
            assert_eq!(page(None, Some(forged)).unwrap_err().page.code, "api/invalid-query", "{forged}");
        }
    }

    #[test]
    fn a_page_is_bounded() {
        assert_eq!(page(None, None).unwrap().limit, PAGE_LIMIT);
        assert_eq!(page(Some(200), None).unwrap().limit, 200);
        for limit in [0, 201, u32::MAX] {
            assert_eq!(page(Some(limit), None).unwrap_err().errors[0].pointer, "?limit");
        }
    }
}
