//! What every page of the console has around it: who acts where, the other pages, and how the same is done elsewhere.

use super::assets;
use super::sign_in::STEP_UP;
use askama::Template;
use axum::response::Html;
use edge::browser::{Browser, CONSOLE, SIGN_IN, Theme};
use edge::cursor;
use edge::problem::pages;
use edge::token::Principal;
use edge::{Call, Look, Permission, Problem};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tenancy::After;

/// The pages of the console in the order of its list, each with the permission of its door.
pub const PAGES: [(&str, &str, Permission); 9] = [
    ("/console", "Overview", Permission::Own),
    ("/console/relying-parties", "Relying parties", Permission::RelyingPartiesRead),
    ("/console/enrolments", "Enrolments", Permission::EnrolmentsRead),
    ("/console/signins", "Sign-ins", Permission::SigninsRead),
    ("/console/relay", "Relay", Permission::RelayMembersRead),
    ("/console/privacy", "Privacy", Permission::RelayMembersRead),
    ("/console/ledger", "Ledger", Permission::LedgerRead),
    ("/console/tenants", "Tenants", Permission::TenantsAdmin),
    ("/console/passkeys", "Your passkeys", Permission::Own),
];

/// Around a page.
pub struct Frame {
    /// Stylesheet of every page, ribbon.
    pub look: Look,
    /// The console's own stylesheet.
    pub css: String,
    /// The console's script.
    pub js: String,
    /// What the page is called.
    pub title: String,
    /// Name of the tenant that is acted in.
    pub tenant: String,
    /// Roles of the operator.
    pub roles: String,
    /// Whether the operator may act in another tenant.
    pub may_choose: bool,
    /// The other pages.
    pub nav: Vec<NavLine>,
    /// Goes with every form of the page.
    pub form_token: String,
    /// How the page looks, and whether that was chosen.
    pub themes: Vec<(&'static str, bool)>,
    /// The word of the look that was chosen; empty: as the system has it.
    pub theme: &'static str,
    /// The page itself, for forms that lead back to it.
    pub here: String,
    /// When the session ends if nothing is done, and when in any case.
    pub ends: [String; 2],
    /// The first in seconds from now.
    pub left_s: i64,
    /// Where to sign in again and come back from.
    pub again: String,
    /// Whether somebody signed in just now, so that acts that are final are done.
    pub is_fresh: bool,
    /// The same on the command line; empty where no verb does it.
    pub cli: String,
    /// The same by the API; empty where no call does it.
    pub api: String,
}

/// A page in the list of pages.
pub struct NavLine {
    /// Where.
    pub path: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// Whether it is this one.
    pub is_current: bool,
}

impl Frame {
    /// Around the page `title` that belongs to `path` of [`PAGES`]; the same by `cli` and `api`.
    pub fn of(call: &Call, path: &str, title: &str, (cli, api): (&str, &str)) -> Frame {
        let line = |(at, label, permission): &(&'static str, &'static str, Permission)| {
            may(call, *permission).then(|| NavLine { path: at, label, is_current: *at == path })
        };
        let browser = call.browser.as_ref();
        let theme = browser.map_or(Theme::default(), Browser::theme);
        let here = browser.map_or(CONSOLE, Browser::asked);
        let (idle_ms, end_ms) = ends(call);
        Frame {
            themes: Theme::ALL.map(|one| (one.as_str(), one == theme)).into(),
            theme: if theme == Theme::System { "" } else { theme.as_str() },
            again: format!("{SIGN_IN}?{}", openid::oauth::form::encode(&[("return", here)])),
            here: here.to_owned(),
            ends: [idle_ms, end_ms].map(time),
            left_s: left_s(call),
            is_fresh: is_fresh(call),
            look: Look::of(call.edge()),
            css: assets::address(assets::STYLE, "css"),
            js: assets::address(assets::SCRIPT, "js"),
            title: title.to_owned(),
            tenant: call.tenant_name().to_owned(),
            roles: call.roles().to_text(),
            may_choose: call.principal.as_ref().is_some_and(|principal| principal.may_name_tenant()),
            nav: PAGES.iter().filter_map(line).collect(),
            form_token: browser.map_or_else(String::new, Browser::form_token),
            cli: cli.to_owned(),
            api: api.to_owned(),
        }
    }
}

/// When the session of the call ends without use, and when in any case.
fn ends(call: &Call) -> (i64, i64) {
    let session = call.principal.as_ref().and_then(Principal::session);
    let end_ms = session.map_or(call.ctx.now_ms(), |known| known.ends_at_ms);
    let idle_s = call.edge().tenancy().config().session_idle_ttl_s;
    (end_ms.min(call.ctx.now_ms() + idle_s * 1_000), end_ms)
}

/// Seconds after a sign-in in which acts that are final are done without asking again.
const FRESH_S: i64 = 300;

/// Whether somebody signed in just now.
pub fn is_fresh(call: &Call) -> bool {
    let opened_ms = ends(call).1 - call.edge().tenancy().config().session_ttl_s * 1_000;
    (0..=FRESH_S * 1_000).contains(&(call.ctx.now_ms() - opened_ms))
}

/// Before an act that is final.
///
/// # Errors
/// `console/step-up`.
pub fn step_up(call: &Call) -> Result<(), Problem> {
    if is_fresh(call) { Ok(()) } else { Err(Problem::of(&STEP_UP)) }
}

/// Seconds until the session of the call ends without use.
pub fn left_s(call: &Call) -> i64 {
    (ends(call).0 - call.ctx.now_ms()) / 1_000
}

/// Whether the caller has the permission, as the gate of its door will ask.
pub fn may(call: &Call, permission: Permission) -> bool {
    let is_home = call.principal.as_ref().is_some_and(|principal| principal.home.is_system());
    call.roles().may(permission) && (!permission.system_only() || is_home)
}

/// A template as an answer.
pub fn shown(page: &impl Template) -> Result<Html<String>, Problem> {
    page.render().map(Html).map_err(|fault| {
        tracing::error!(%fault, "a page could not be written");
        Problem::of(&pages::FAULT)
    })
}

/// A time as pages show it.
pub fn time(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Cuts rows to a page; the address of the next one, if there are more. `filters` end in `&` where there are any.
pub fn next<T>(
    rows: &mut Vec<T>,
    page: &cursor::Page,
    (path, filters): (&str, &str),
    key: impl Fn(&T) -> After,
) -> Option<String> {
    let more = rows.len() > page.limit;
    rows.truncate(page.limit);
    let last = rows.last().filter(|_| more)?;
    Some(format!("{CONSOLE}{path}?{filters}limit={}&after={}", page.limit, cursor::encode(&key(last))))
}
