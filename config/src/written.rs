//! What people read of the keys: `default.toml`, and the tables of `docs/configuration.md`.

use crate::{KEYS, Key, Values, declaration::lines, keys::SECTIONS};

/// Columns of a line of `default.toml`.
const WIDTH: usize = 120;

const HEAD: &str = "\
# Every parameter of Dactyl with its default. Copy only the keys you want to change into a file of your own and pass it
# with --config FILE; environment variables DACTYL_SECTION__KEY and flags win over files. docs/configuration.md says
# where relative paths are looked up. `dactyl config` prints the values in force and where each one came from.
";

/// The line of `docs/configuration.md` behind which the tables stand.
const MARK: &str = "<!-- From here on `make keys` writes this page. -->\n";

/// The text of `default.toml`: every key with its built-in value, its meaning and its range.
pub fn default_toml() -> String {
    let mut text = HEAD.to_owned();
    for (section, about, keys) in sections() {
        text.push_str(&format!("\n# {}\n[{section}]\n", plain(about)));
        for key in keys {
            let mut comment: Vec<String> = key.lines().map(plain).collect();
            if let Some(range) = range_in_words(key.values) {
                match comment.last_mut().filter(|last| last.len() + range.len() + "#  ()".len() <= WIDTH) {
                    Some(last) => last.push_str(&format!(" ({range})")),
                    None => comment.push(format!("({range})")),
                }
            }
            let words = words(key.values).iter();
            comment.extend(words.map(|(word, meaning)| format!("  {word:?}: {meaning}")));
            for line in comment {
                text.push_str(&format!("# {line}\n"));
            }
            text.push_str(&format!("{} = {}\n", key.section_and_name().1, key.default));
        }
    }
    text
}

/// `docs/configuration.md` with the tables as they should be; `None` if the page lacks the line that they stand behind.
pub fn with_key_tables(page: &str) -> Option<String> {
    let (prose, _) = page.split_once(MARK)?;
    let mut text = format!("{prose}{MARK}");
    for (section, about, keys) in sections() {
        text.push_str(&format!("\n### `[{section}]`\n\n{about}\n\n"));
        text.push_str("| key | default | range | meaning |\n|---|---|---|---|\n");
        for key in keys {
            let words = words(key.values).iter().map(|(word, meaning)| format!("`{word}`: {meaning}."));
            let meaning: Vec<String> = key.lines().map(str::to_owned).chain(words).collect();
            text.push_str(&format!(
                "| `{}` | `{}` | {} | {} |\n",
                key.path,
                key.default,
                range_in_words(key.values).unwrap_or_else(|| short(key.values)),
                meaning.join(" ").replace('|', "\\|")
            ));
        }
    }
    Some(text)
}

/// Every section with what it is about and its keys.
fn sections() -> impl Iterator<Item = (&'static str, &'static str, impl Iterator<Item = &'static Key>)> {
    SECTIONS.iter().map(|&(section, text)| {
        let keys = KEYS.iter().filter(move |key| key.section_and_name().0 == section);
        (section, lines(text).next().unwrap_or_default(), keys)
    })
}

/// The range of a key; `None` where the words that it may be set to say it.
fn range_in_words(values: Values) -> Option<String> {
    match values {
        Values::Text(kind) | Values::Texts(kind) => Some(kind.to_owned()),
        Values::Integer(least, most) => Some(format!("{least} to {most}")),
        Values::Number(least, most) => Some(format!("{least} to {most}")),
        Values::Switch | Values::Choice(_) | Values::Choices(_) => None,
    }
}

fn words(values: Values) -> &'static [(&'static str, &'static str)] {
    match values {
        Values::Choice(words) | Values::Choices(words) => words,
        _ => &[],
    }
}

/// The words that a key may be set to, for a cell of a table.
fn short(values: Values) -> String {
    let list: Vec<String> = words(values).iter().map(|(word, _)| format!("`{word}`")).collect();
    match values {
        Values::Choices(_) => format!("of {}", list.join(", ")),
        Values::Switch => "`true`, `false`".to_owned(),
        _ => list.join(", "),
    }
}

/// Without the marks of code in Markdown, which a comment has no use for.
fn plain(line: &str) -> String {
    line.replace('`', "")
}
