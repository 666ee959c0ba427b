//! What a second start on a folder finds and leaves as it is.

use crate::served::Served;
use rusqlite::Connection;
use std::path::Path;

#[test]
fn a_second_start_makes_nothing_new_for_a_tenant_that_stands_and_lets_the_owner_in() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let (status, _) = Served::start(home.path(), &data).stop();
    assert!(status.success());
    let before = events(&data);
    assert!(before > 0, "its keys were made");
    let mut served = Served::start(home.path(), &data);
    served.session(&data);
    let (status, _) = served.stop();
    assert!(status.success());
    assert_eq!(events(&data), before);
}

/// Events of the tenant `default` so far.
fn events(data: &Path) -> i64 {
    let sql = "SELECT COUNT(*) FROM store_event_detail WHERE tenant_id = (SELECT tenant_id FROM tenancy_tenant WHERE name = 'default')";
    Connection::open(data.join("tessera.db")).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}
