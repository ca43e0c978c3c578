//! What a learner is told about one distribution.

use serde::Serialize;

/// The answer to a frame, with the wire protocol's names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feedback {
    /// The most probable label; empty where "nothing" is more probable than any.
    pub maxarg_letter: String,
    /// Probability of the label that is practised, 0 to 1; 0 without one.
    pub target_arg_prob: f32,
}

impl Feedback {
    /// Reads a distribution over `labels`. What its values lack to 1 is the probability of "nothing". Of equally
    /// probable labels the first wins. `target` is an index into `labels`.
    pub fn read(distribution: &[f32], labels: &[String], target: Option<usize>) -> Self {
        let missing = 1.0 - distribution.iter().sum::<f32>();
        let best = distribution
            .iter()
            .zip(labels)
            .filter(|(probability, _)| !probability.is_nan())
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .filter(|(probability, _)| **probability >= missing);
        Self {
            maxarg_letter: best.map_or_else(String::new, |(_, label)| label.clone()),
            target_arg_prob: target
                .and_then(|target| distribution.get(target))
                .filter(|probability| !probability.is_nan())
                .map_or(0.0, |probability| probability.clamp(0.0, 1.0)),
        }
    }

    /// The 0 % payload: no letter seen, nothing of the target reached.
    pub fn reset() -> Self {
        Self { maxarg_letter: String::new(), target_arg_prob: 0.0 }
    }

    /// The payload of the wire protocol, without a line end.
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "a struct of a string and a number has a JSON form")]
        serde_json::to_string(self).expect("feedback is a JSON object")
    }
}

/// Index of the label that `letter` means: the same text, else the same but for upper and lower case.
pub fn label_index(labels: &[String], letter: &str) -> Option<usize> {
    labels.iter().position(|label| label == letter).or_else(|| {
        let letter = letter.to_lowercase();
        labels.iter().position(|label| label.to_lowercase() == letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|&label| label.to_owned()).collect()
    }

    #[test]
    fn the_most_probable_label_wins_and_the_target_is_read_by_index() {
        let feedback = Feedback::read(&[0.1, 0.7, 0.2], &labels(&["A", "B", "C"]), Some(2));
        assert_eq!(feedback.maxarg_letter, "B");
        assert_eq!(feedback.target_arg_prob, 0.2);
    }

    #[test]
    fn nothing_wins_where_more_is_missing_than_the_best_label_has() {
        let labels = labels(&["A", "B"]);
        assert_eq!(Feedback::read(&[0.0, 0.0], &labels, Some(0)), Feedback::reset());
        let faint = Feedback::read(&[0.3, 0.1], &labels, Some(0));
        assert_eq!((faint.maxarg_letter.as_str(), faint.target_arg_prob), ("", 0.3));
        assert_eq!(Feedback::read(&[0.5, 0.0], &labels, None).maxarg_letter, "A");
    }

    #[test]
    fn without_a_target_or_with_one_that_does_not_exist_the_probability_is_zero() {
        let labels = labels(&["A"]);
        assert_eq!(Feedback::read(&[1.0], &labels, None).target_arg_prob, 0.0);
        assert_eq!(Feedback::read(&[1.0], &labels, Some(5)).target_arg_prob, 0.0);
        assert_eq!(Feedback::read(&[], &[], Some(0)), Feedback::reset());
    }

    #[test]
    fn rounding_never_leaves_the_range() {
        let labels = labels(&["A"]);
        assert_eq!(Feedback::read(&[1.000_001], &labels, Some(0)).target_arg_prob, 1.0);
        assert_eq!(Feedback::read(&[f32::NAN], &labels, Some(0)), Feedback::reset());
    }

    #[test]
    fn the_json_has_exactly_the_two_keys_of_the_protocol() {
        assert_eq!(Feedback::reset().to_json(), r#"{"maxarg_letter":"","target_arg_prob":0.0}"#);
        let feedback = Feedback::read(&[0.53], &labels(&["\"A\""]), Some(0));
        assert_eq!(feedback.to_json(), r#"{"maxarg_letter":"\"A\"","target_arg_prob":0.53}"#);
    }

    #[test]
    fn labels_are_found_in_any_case_and_exactly_first() {
        assert_eq!(label_index(&labels(&["A", "b", "Ö"]), "a"), Some(0));
        assert_eq!(label_index(&labels(&["A", "b", "Ö"]), "B"), Some(1));
        assert_eq!(label_index(&labels(&["A", "b", "Ö"]), "ö"), Some(2));
        assert_eq!(label_index(&labels(&["a", "A"]), "A"), Some(1));
        assert_eq!(label_index(&labels(&["A"]), "hello"), None);
    }

    proptest! {
        #[test]
        fn the_letter_is_a_label_at_least_as_probable_as_everything_else(
            values in prop::collection::vec(0.0f32..1.0, 1..30),
            scale in 0.0f32..1.0,
            target in 0usize..40,
        ) {
            let total: f32 = values.iter().sum::<f32>().max(1e-6);
            let distribution: Vec<f32> = values.iter().map(|value| value / total * scale).collect();
            let labels: Vec<String> = (0..values.len()).map(|index| format!("label {index}")).collect();
            let feedback = Feedback::read(&distribution, &labels, Some(target));
            let missing = 1.0 - distribution.iter().sum::<f32>();
            let best = distribution.iter().copied().fold(0.0, f32::max);
            match labels.iter().position(|label| *label == feedback.maxarg_letter) {
                Some(index) => {
                    prop_assert_eq!(distribution[index], best);
                    prop_assert!(best >= missing);
                }
                None => prop_assert!(feedback.maxarg_letter.is_empty() && missing > best),
            }
            prop_assert_eq!(feedback.target_arg_prob, distribution.get(target).copied().unwrap_or(0.0));
        }
    }
}
