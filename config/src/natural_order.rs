//! The order in which people expect numbered files.

use std::cmp::Ordering;

/// Compares runs of digits as numbers and all else as text, so that 2 comes before 10. Names that differ only in
/// leading zeros are in the order of their texts.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        match (next_piece(&mut left), next_piece(&mut right)) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => {
                let order = compare_pieces(one, other);
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

/// Takes a run of digits, or a single character that is none, off the text.
fn next_piece<'a>(text: &mut &'a str) -> Option<&'a str> {
    let first = text.chars().next()?;
    let end = if first.is_ascii_digit() {
        text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
    } else {
        first.len_utf8()
    };
    let (piece, rest) = text.split_at(end);
    *text = rest;
    Some(piece)
}

fn compare_pieces(a: &str, b: &str) -> Ordering {
    let number = |piece: &str| piece.starts_with(|c: char| c.is_ascii_digit());
    if !(number(a) && number(b)) {
        return a.cmp(b);
    }
    // Without leading zeros the longer number is the greater one; no number is too long to compare.
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_names_are_compared_as_numbers() {
        let mut names =
            ["a10.jpg", "b1.jpg", "a2.jpg", "a.jpg", "a02.jpg", "a99999999999999999999999.jpg", "a1.jpg"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(
            names,
            ["a.jpg", "a1.jpg", "a02.jpg", "a2.jpg", "a10.jpg", "a99999999999999999999999.jpg", "b1.jpg"]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[0-9a-c.]{0,6}", b in "[0-9a-c.]{0,6}", c in "[0-9a-c.]{0,6}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b).is_eq(), a == b);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
