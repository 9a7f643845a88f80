//! Lists for people: a header, and a line for each row.

use serde_json::Value;

/// The columns of `rows` by their names in JSON, each as wide as its widest text, under a header of these names.
pub fn table(columns: &[&str], rows: &[Value]) -> String {
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|column| (*column).to_owned()).collect()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|column| text(found(row, column))).collect()));
    let width = |place: usize| lines.iter().map(|line| line[place].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let mut table = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        table.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        table.push('\n');
    }
    table
}

/// A member, or with dots one within it.
fn found<'a>(row: &'a Value, column: &str) -> &'a Value {
    column.split('.').fold(row, |value, name| &value[name])
}

/// A value as people read it, in one line; nothing for one that is not there.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.replace('\n', "\\n").replace('\t', "\\t"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let rows = [json!({"id": "dlq_1", "tries": 12, "by": {"name": "kim"}}), json!({"id": "x", "tries": null})];
        let said = "id     tries  by.name\ndlq_1  12     kim\nx      -      -\n";
        assert_eq!(table(&["id", "tries", "by.name"], &rows), said);
        assert_eq!(table(&["id"], &[]), "id\n");
    }
}
