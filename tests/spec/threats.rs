//! The table of threats in SECURITY.md: all of them answered, and every answer that claims a test names one that is there.

/// Those of the admission control threat model of Kubernetes SIG Security; our own follow.
const THREATS: usize = 18;

/// Reads the table.
#[test]
fn security_md_answers_every_threat_with_tests_that_exist() -> Result<(), String> {
    let read =
        |path: &str| std::fs::read_to_string(crate::root().join(path)).map_err(|error| format!("{path}: {error}"));
    let text = read("SECURITY.md")?;
    let (_, table) = text.split_once("<!-- threats -->\n").ok_or("no table")?;
    let (table, _) = table.split_once("<!-- /threats -->").ok_or("the table has no end")?;
    let rows: Vec<Vec<&str>> =
        table.lines().skip(2).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect();
    if rows.len() <= THREATS {
        return Err(format!("{} threats are answered, and {THREATS} are not our own", rows.len()));
    }
    for (index, row) in rows.iter().enumerate() {
        let &[number, _, answer, status, tests] = row.as_slice() else { return Err(format!("{row:?}")) };
        let answered = number == (index + 1).to_string() && !answer.is_empty();
        let known = ["mitigated", "yours", "out of reach"].iter().any(|known| status.starts_with(known));
        if !answered || !known || status.starts_with("mitigated") == tests.is_empty() {
            return Err(format!("threat {}: {row:?}", index + 1));
        }
        let mut file = String::new();
        for name in tests.split('`').skip(1).step_by(2) {
            if name.starts_with("tests/") {
                file = read(name)?;
            } else if !file.contains(&format!("fn {name}(")) {
                return Err(format!("threat {number}: there is no test {name}"));
            }
        }
    }
    Ok(())
}
