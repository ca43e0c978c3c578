//! Results as Markdown.

use std::fmt::{self, Display, Formatter};

use crate::contender::Contender;
use crate::figures::{Ratio, median};

/// A cell of something that was not measured.
const NOTHING: &str = "-";

/// A table of measures: a column for each contender, and one for the ratio of each of ours to the rival.
pub struct Comparison {
    contenders: Vec<Contender>,
    rows: Vec<Row>,
}

struct Row {
    measure: String,
    decimals: usize,
    /// Values of the rounds, for each contender.
    values: Vec<Vec<f64>>,
}

impl Comparison {
    /// A table without rows.
    pub fn new(contenders: &[Contender]) -> Self {
        Self { contenders: contenders.to_vec(), rows: Vec::new() }
    }

    /// Enters what one round gave. Rows come in the order in which they were first entered.
    pub fn enter(&mut self, measure: &str, decimals: usize, contender: &Contender, value: f64) {
        let Some(column) = self.contenders.iter().position(|known| known == contender) else { return };
        let index = self.rows.iter().position(|row| row.measure == measure).unwrap_or_else(|| {
            let values = vec![Vec::new(); self.contenders.len()];
            self.rows.push(Row { measure: measure.to_owned(), decimals, values });
            self.rows.len() - 1
        });
        self.rows[index].values[column].push(value);
    }
}

impl Display for Comparison {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let rival = self.contenders.iter().position(|contender| *contender == Contender::Rival);
        let ours = || self.contenders.iter().enumerate().filter(|(column, _)| Some(*column) != rival);
        let mut head = vec!["measure".to_owned()];
        head.extend(self.contenders.iter().map(ToString::to_string));
        if rival.is_some() {
            head.extend(ours().map(|(_, contender)| format!("{contender} / {}", Contender::Rival)));
        }
        let rows: Vec<Vec<String>> = (self.rows.iter())
            .map(|row| {
                let mut cells = vec![row.measure.clone()];
                cells.extend(row.values.iter().map(|values| number(median(values), row.decimals)));
                if let Some(rival) = rival {
                    cells.extend(
                        ours().map(|(column, _)| ratio(Ratio::of(&row.values[column], &row.values[rival]))),
                    );
                }
                cells
            })
            .collect();
        write!(formatter, "{}", Markdown { head: &head, rows: &rows })
    }
}

/// A number, or the sign for none.
pub fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.decimals$}"))
}

fn ratio(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(
        || NOTHING.to_owned(),
        |ratio| format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.least, ratio.greatest),
    )
}

/// Any table.
pub struct Markdown<'a> {
    /// First line.
    pub head: &'a [String],
    /// The others, of as many cells.
    pub rows: &'a [Vec<String>],
}

impl Display for Markdown<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "| {} |", self.head.join(" | "))?;
        writeln!(formatter, "|{}", "---|".repeat(self.head.len()))?;
        for row in self.rows {
            writeln!(formatter, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_medians_and_the_ratio_of_each_of_ours() {
        let exact = Contender::ours("exact", &[]);
        let mut table = Comparison::new(&[Contender::Rival, exact.clone()]);
        for (rival, ours) in [(10.0, 20.0), (12.0, 36.0), (11.0, 22.0)] {
            table.enter("frames", 1, &Contender::Rival, rival);
            table.enter("frames", 1, &exact, ours);
        }
        table.enter("alone", 0, &exact, 3.0);
        assert_eq!(
            table.to_string(),
            "| measure | MediaPipe | exact | exact / MediaPipe |\n\
             |---|---|---|---|\n\
             | frames | 11.0 | 22.0 | 2.00 (2.00 to 3.00) |\n\
             | alone | - | 3 | - |\n"
        );
    }

    #[test]
    fn without_a_rival_there_is_no_column_of_ratios() {
        let exact = Contender::ours("exact", &[]);
        let mut table = Comparison::new(std::slice::from_ref(&exact));
        table.enter("frames", 0, &exact, 20.0);
        assert_eq!(table.to_string(), "| measure | exact |\n|---|---|\n| frames | 20 |\n");
    }
}
