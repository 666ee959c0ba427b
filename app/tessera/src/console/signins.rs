//! `/console/signins`: how sign-ins ended, drawn and listed. No person stands here.

use super::frame::{Frame, next, shown, time};
use super::plot::{self, Svg};
use crate::house::House;
use askama::Template;
use axum::extract::State;
use axum::response::Html;
use edge::cursor::PageQuery;
use edge::problem::pages;
use edge::{Call, Door, Doors, Permission, Problem, Query, Who};
use idp::history::{OUTCOMES, SigninLine};
use serde::Deserialize;
use tenancy::After;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

pub fn doors() -> Doors<House> {
    Doors::new().door(
        Door::get("/console/signins")
            .operation("showSignins")
            .summary("How sign-ins ended")
            .who(Who::Operator(Permission::SigninsRead))
            .query::<SigninsQuery>()
            .answer_of(200, "text/html", "the page"),
        page,
    )
}

/// Which sign-ins.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct SigninsQuery {
    limit: Option<u32>,
    after: Option<String>,
    outcome: Option<String>,
    range: Option<Range>,
}

/// What the drawing covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
pub enum Range {
    /// Twenty-four hours.
    #[default]
    #[serde(rename = "24h")]
    Day,
    /// Ninety days.
    #[serde(rename = "90d")]
    Quarter,
}

#[derive(Template)]
#[template(path = "console/signins.html")]
struct SigninsPage {
    frame: Frame,
    plot: Svg,
    is_quarter: bool,
    /// Each, and whether the list is of it.
    outcomes: Vec<(&'static str, bool)>,
    signins: Vec<Line>,
    next: Option<String>,
}

struct Line {
    id: String,
    relying_party: String,
    outcome: String,
    reason: String,
    acr: String,
    ended_at: String,
}

async fn page(
    State(house): State<House>,
    call: Call,
    Query(query): Query<SigninsQuery>,
) -> Result<Html<String>, Problem> {
    let page = PageQuery { limit: query.limit, after: query.after }.page()?;
    let outcome = query.outcome.filter(|outcome| !outcome.is_empty());
    if outcome.as_deref().is_some_and(|outcome| !OUTCOMES.contains(&outcome)) {
        let rule = "is approved, denied, failed or expired";
        return Err(Problem::of(&pages::INVALID_QUERY).at("?outcome", rule));
    }
    // Newest first: the first page begins behind the end of time.
    let before = match page.after == After::start() {
        true => After { at_ms: i64::MAX, id: String::new() },
        false => page.after.clone(),
    };
    let asked = (&before, outcome.as_deref());
    let mut found = house.idp.newest_signins(&call.ctx, asked, page.read_limit()).await?;
    let range = query.range.unwrap_or_default();
    let filters = format!(
        "range={}&{}",
        range.as_str(),
        outcome.as_ref().map_or_else(String::new, |outcome| format!("outcome={outcome}&"))
    );
    let key = |line: &SigninLine| After { at_ms: line.ended_at_ms, id: line.id.clone() };
    let next = next(&mut found, &page, ("/signins", &filters), key);
    let same = ("tessera signin list", "GET /api/v1/signins");
    shown(&SigninsPage {
        frame: Frame::of(&call, "/console/signins", "Sign-ins", same),
        plot: plot(&house, &call, range).await?,
        is_quarter: range == Range::Quarter,
        outcomes: OUTCOMES.map(|word| (word, outcome.as_deref() == Some(word))).into(),
        signins: found.into_iter().map(line).collect(),
        next,
    })
}

/// The drawing of a range that ends now.
pub async fn plot(house: &House, call: &Call, range: Range) -> Result<Svg, Problem> {
    let (steps, step_ms) = range.steps();
    // Whole hours and days: the last step is the running one.
    let end_ms = (call.ctx.now_ms() / step_ms + 1) * step_ms;
    let from_ms = end_ms - steps as i64 * step_ms;
    let counts = house.idp.signin_counts(&call.ctx, from_ms, step_ms).await?;
    Ok(plot::signins(&plot::Signins { steps, from_ms, step_ms, counts }))
}

impl Range {
    /// The word of the filter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Quarter => "90d",
        }
    }

    const fn steps(self) -> (usize, i64) {
        match self {
            Self::Day => (24, HOUR_MS),
            Self::Quarter => (90, DAY_MS),
        }
    }
}

fn line(line: SigninLine) -> Line {
    Line {
        id: line.id,
        relying_party: line.relying_party,
        outcome: line.outcome,
        reason: line.reason,
        acr: line.acr.unwrap_or_default(),
        ended_at: time(line.ended_at_ms),
    }
}
