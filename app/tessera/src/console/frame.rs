//! What every page of the console has around it: who acts where, the other pages, and how the same is done elsewhere.

use super::assets;
use askama::Template;
use axum::response::Html;
use edge::browser::CONSOLE;
use edge::cursor;
use edge::problem::pages;
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
        Frame {
            look: Look::of(call.edge()),
            css: assets::address(assets::STYLE, "css"),
            js: assets::address(assets::SCRIPT, "js"),
            title: title.to_owned(),
            tenant: call.tenant_name().to_owned(),
            roles: call.roles().to_text(),
            may_choose: call.principal.as_ref().is_some_and(|principal| principal.may_name_tenant()),
            nav: PAGES.iter().filter_map(line).collect(),
            form_token: call.browser.as_ref().map_or_else(String::new, |browser| browser.form_token()),
            cli: cli.to_owned(),
            api: api.to_owned(),
        }
    }
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
