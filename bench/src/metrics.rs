//! Reads Prometheus' text form, as far as `/metrics` uses it.

use std::collections::BTreeMap;

/// One reading of `/metrics`.
#[derive(Debug, Default)]
pub struct Reading(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// A histogram's counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Number of values.
    pub count: f64,
    /// Sum of the values.
    pub sum: f64,
    /// Upper bound of each bucket and the number of values up to it, in ascending order.
    pub buckets: Vec<(f64, f64)>,
}

impl Reading {
    /// Lines that are no sample are passed over.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(sample).collect())
    }

    /// The histogram of that name with that label (`("stage", "decode")`); `None` if there is none.
    pub fn histogram(&self, name: &str, label: Option<(&str, &str)>) -> Option<Histogram> {
        let matches = |sample: &&Sample| {
            label.is_none_or(|(key, value)| sample.labels.get(key).is_some_and(|found| found == value))
        };
        let series = |suffix: &str| {
            let name = format!("{name}_{suffix}");
            self.0.iter().filter(move |sample| sample.name == name).filter(matches)
        };
        let mut buckets: Vec<(f64, f64)> = series("bucket")
            .filter_map(|sample| Some((sample.labels.get("le")?.parse().ok()?, sample.value)))
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(Histogram { count: series("count").next()?.value, sum: series("sum").next()?.value, buckets })
    }
}

impl Histogram {
    /// The values that came after an `earlier` state of the same series.
    pub fn since(&self, earlier: &Self) -> Self {
        let buckets = self.buckets.iter().zip(&earlier.buckets);
        Self {
            count: self.count - earlier.count,
            sum: self.sum - earlier.sum,
            buckets: buckets.map(|(now, then)| (now.0, now.1 - then.1)).collect(),
        }
    }

    /// Share, 0 to 1, of the values that are not over the least bucket bound from `bound` on; `None` without a value.
    pub fn share_within(&self, bound: f64) -> Option<f64> {
        let (_, within) = self.buckets.iter().find(|(upper, _)| *upper >= bound)?;
        (self.count > 0.0).then(|| within / self.count)
    }

    /// The mean; `None` without a value.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// `name{key="value",...} 1.5`
fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    // No label of ours holds a comma or a quote.
    let labels = labels
        .split(',')
        .filter(|label| !label.is_empty())
        .map(|label| {
            let (key, value) = label.split_once('=')?;
            Some((key.to_owned(), value.trim_matches('"').to_owned()))
        })
        .collect::<Option<_>>()?;
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# HELP dactyl_stage_seconds Time of a frame in a stage
# TYPE dactyl_stage_seconds histogram
dactyl_stage_seconds_bucket{stage=\"decode\",le=\"0.001\"} 6
dactyl_stage_seconds_bucket{stage=\"decode\",le=\"0.002\"} 9
dactyl_stage_seconds_bucket{stage=\"decode\",le=\"+Inf\"} 10
dactyl_stage_seconds_sum{stage=\"decode\"} 0.02
dactyl_stage_seconds_count{stage=\"decode\"} 10
dactyl_stage_seconds_sum{stage=\"queue\"} 0
dactyl_stage_seconds_count{stage=\"queue\"} 0
dactyl_reset_seconds_sum 1.5
dactyl_reset_seconds_count 3

nonsense
";

    #[test]
    fn what_came_later_is_told_from_what_was_there() {
        let histogram = |count, sum, within| Histogram {
            count,
            sum,
            buckets: vec![(0.001, within), (f64::INFINITY, count)],
        };
        let later = histogram(10.0, 0.75, 9.0).since(&histogram(4.0, 0.5, 4.0));
        assert_eq!(later, histogram(6.0, 0.25, 5.0));
    }

    #[test]
    fn a_histogram_is_found_by_name_and_label() {
        let reading = Reading::parse(TEXT);
        let decode = reading.histogram("dactyl_stage_seconds", Some(("stage", "decode"))).unwrap();
        assert_eq!(decode.buckets, [(0.001, 6.0), (0.002, 9.0), (f64::INFINITY, 10.0)]);
        assert_eq!(decode.mean(), Some(0.002));
        assert_eq!(decode.share_within(0.001), Some(0.6));
        assert_eq!(decode.share_within(0.0015), Some(0.9));
        assert_eq!(reading.histogram("dactyl_reset_seconds", None).unwrap().mean(), Some(0.5));
    }

    #[test]
    fn an_empty_or_missing_histogram_has_no_mean() {
        let reading = Reading::parse(TEXT);
        let queue = reading.histogram("dactyl_stage_seconds", Some(("stage", "queue"))).unwrap();
        assert_eq!((queue.mean(), queue.share_within(1.0)), (None, None));
        assert_eq!(reading.histogram("dactyl_cancel_seconds", None), None);
        assert_eq!(reading.histogram("dactyl_stage_seconds", Some(("stage", "other"))), None);
    }
}
