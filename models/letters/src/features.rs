//! From holistic keypoints to what a classifier sees. One implementation for training and for serving.
//!
//! # `hand-1`
//!
//! One row of [`HAND_1`] values per frame, computed over the whole window at once. Let `p_i` be the 21 landmarks of the
//! signing hand in **pixels** (x times picture width, y times picture height: so equal lengths are equal in both
//! directions), y down, mirrored to a right hand if the signing hand is the left one.
//!
//! - *Signing hand*: the one with the larger sum, over the window, of presence, weighted by how much higher it is than
//!   the other hand and by its share of the movement (see [`signing_side`]). One choice per window.
//! - *Hand size* `s`: the root mean square length of the 23 segments of [`SKELETON`]. They point in all directions,
//!   so `s` changes little when a part of the hand points at the camera. `S` is the median of `s` over the window.
//! - *Centre* `c`: mean of the wrist and the four finger bases.
//!
//! | values | count | what |
//! |---|---|---|
//! | presence | 1 | 1 if the hand was found, else 0 and the whole row is 0 |
//! | position | 42 | `(p_i - c) / s`: keeps the in-plane orientation, which separates G from Q, K from P, H from U |
//! | upright position | 42 | the same turned so that wrist to middle-finger base points up: shape without orientation |
//! | direction | 40 | unit vectors of the 20 bones |
//! | palm | 3 | unit vector wrist to middle-finger base; signed area of wrist, index base, little base, by `s^2` (palm or back) |
//! | joints | 15 | cosine between the bones before and after each joint |
//! | thumb | 16 | distance from the thumb tip to every landmark of the four fingers, by `s` |
//! | fingers | 9 | distance of each fingertip to its own base (5), of neighbouring fingertips (4), by `s` |
//! | knuckles | 30 | where the outer three joints of each finger are along the line from index base (0) to little base (1), and their distance from it to the palm's side, by `s`: between which fingers the thumb is (A, T, S, N, M, E), and which finger crosses which (R, U) |
//! | movement | 12 | wrist, index tip, little tip: position less its mean over the window, and step since the last frame with a hand, by `S` |
//!
//! z is not used: half of the training sets have none.
//!
//! # `holistic-1662`
//!
//! Pose 33x(x, y, z, visibility), face 468x(x, y, z), left hand 21x(x, y, z), right hand 21x(x, y, z), in that order,
//! as the tracker gives them (normalised by the picture), zeros where absent.

use dactyl_holistic::keypoints::{FACE, Keypoints, LEFT_HAND, Landmark, POSE, RIGHT_HAND};

/// Values per frame of `hand-1`.
pub const HAND_1: usize = SHAPE + MOVEMENT;
/// Values of one frame by itself: they stand first.
pub const SHAPE: usize = 1 + 42 + 42 + 40 + 3 + 15 + 16 + 9 + 30;
/// Values that tell how the hand moves in the window: they stand last.
pub const MOVEMENT: usize = 12;
/// Values per frame of `holistic-1662`.
pub const HOLISTIC_1662: usize = 33 * 4 + 468 * 3 + 21 * 3 + 21 * 3;

/// Layout of a classifier's input rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Shape and movement of the signing hand, [`HAND_1`] values per frame.
    Hand1,
    /// All landmarks as the tracker gives them, [`HOLISTIC_1662`] values per frame.
    Holistic1662,
}

impl Layout {
    /// Every layout, as it is named in a model's metadata.
    pub const NAMES: [&'static str; 2] = ["hand-1", "holistic-1662"];

    /// The name in a model's metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hand1 => Self::NAMES[0],
            Self::Holistic1662 => Self::NAMES[1],
        }
    }

    /// The layout of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Hand1, Self::Holistic1662].into_iter().find(|layout| layout.as_str() == name)
    }

    /// Values per frame.
    pub const fn width(self) -> usize {
        match self {
            Self::Hand1 => HAND_1,
            Self::Holistic1662 => HOLISTIC_1662,
        }
    }
}

/// Size of the analysed picture in pixels: x and y of keypoints are normalised by different lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureSize {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// 21 hand landmarks in the plane of the picture: units of equal length in x (right) and y (down).
pub type HandPoints = [[f32; 2]; 21];

/// What one frame tells about the hands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observation {
    /// The person's left hand, if found.
    pub left: Option<HandPoints>,
    /// The person's right hand, if found.
    pub right: Option<HandPoints>,
}

impl Observation {
    /// The hands of one frame, in pixels.
    pub fn new(keypoints: &Keypoints, picture: PictureSize) -> Self {
        let hand = |range| {
            let landmarks = keypoints.part(range);
            let mut points = [[0.0; 2]; 21];
            for (point, landmark) in points.iter_mut().zip(landmarks) {
                *point = [landmark[0] * picture.width as f32, landmark[1] * picture.height as f32];
            }
            points.as_flattened().iter().all(|value| value.is_finite()).then_some(points)
        };
        Self { left: hand(LEFT_HAND), right: hand(RIGHT_HAND) }
    }

    /// Whether any hand was found.
    pub fn has_hand(&self) -> bool {
        self.left.is_some() || self.right.is_some()
    }

    fn side(&self, side: Side) -> Option<&HandPoints> {
        match side {
            Side::Left => self.left.as_ref(),
            Side::Right => self.right.as_ref(),
        }
    }
}

/// A hand of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The person's left hand.
    Left,
    /// The person's right hand.
    Right,
}

/// The hand that signs in this window; a tie is the right hand.
///
/// Each frame gives a hand 1 if it is alone, and if both are there a share between 0 and 1 that grows with its height
/// above the other (logistic, half a hand size up gives 0.88): a resting hand hangs lower than a signing one. To
/// that comes a share of the movement, worth a quarter of the window. The choice is a sum over the whole
/// window, so it changes slowly from one window to the next.
pub fn signing_side(window: &[Observation]) -> Side {
    let mut balance = 0.0;
    let mut travelled = [0.0f32; 2];
    let mut last: [Option<[f32; 2]>; 2] = [None, None];
    for observation in window {
        let hands = [observation.left.as_ref(), observation.right.as_ref()];
        balance += match hands {
            [None, None] => 0.0,
            [Some(_), None] => -1.0,
            [None, Some(_)] => 1.0,
            [Some(left), Some(right)] => {
                let size = size(left).max(size(right)).max(f32::MIN_POSITIVE);
                let raised = (centre(left)[1] - centre(right)[1]) / size;
                (2.0 * raised).tanh()
            }
        };
        for ((hand, last), travelled) in hands.into_iter().zip(&mut last).zip(&mut travelled) {
            let now = hand.map(|points| (centre(points), size(points)));
            if let (Some((now, size)), Some(before)) = (now, *last) {
                *travelled += distance(now, before) / size.max(f32::MIN_POSITIVE);
            }
            *last = now.map(|(centre, _)| centre);
        }
    }
    let total = travelled[0] + travelled[1];
    if total > 0.0 {
        balance += 0.25 * window.len() as f32 * (travelled[1] - travelled[0]) / total;
    }
    if balance < 0.0 { Side::Left } else { Side::Right }
}

/// The signing hand of every frame of the window, as a right hand: a left one has its x reversed.
pub fn signing_hand(window: &[Observation]) -> Vec<Option<HandPoints>> {
    let side = signing_side(window);
    window
        .iter()
        .map(|observation| {
            let mut points = *observation.side(side)?;
            if side == Side::Left {
                for point in &mut points {
                    point[0] = -point[0];
                }
            }
            Some(points)
        })
        .collect()
}

/// `hand-1` rows of a window, `window.len()` x [`HAND_1`], row-major.
pub fn hand_1(window: &[Observation]) -> Vec<f32> {
    hand_1_rows(&signing_hand(window))
}

/// `hand-1` rows of a window of right hands, `hands.len()` x [`HAND_1`], row-major.
pub fn hand_1_rows(hands: &[Option<HandPoints>]) -> Vec<f32> {
    let mut rows = vec![0.0; hands.len() * HAND_1];
    let found: Vec<&HandPoints> = hands.iter().flatten().collect();
    if found.is_empty() {
        return rows;
    }
    let mut sizes: Vec<f32> = found.iter().map(|points| size(points)).collect();
    sizes.sort_by(f32::total_cmp);
    let window_size = sizes[sizes.len() / 2].max(f32::MIN_POSITIVE);
    let mean = MOVING.map(|index| {
        let sum = found
            .iter()
            .fold([0.0, 0.0], |sum, points| [sum[0] + points[index][0], sum[1] + points[index][1]]);
        sum.map(|value| value / found.len() as f32)
    });

    let mut last: Option<&HandPoints> = None;
    for (row, points) in rows.chunks_exact_mut(HAND_1).zip(hands) {
        let Some(points) = points else { continue };
        let shape = shape(points);
        let (head, movement) = row.split_at_mut(SHAPE);
        head.copy_from_slice(&shape);
        let mut values = movement.iter_mut();
        let mut put = |value: f32| {
            if let Some(slot) = values.next() {
                *slot = (value / window_size).clamp(-MOVEMENT_LIMIT, MOVEMENT_LIMIT);
            }
        };
        for (index, mean) in MOVING.into_iter().zip(mean) {
            put(points[index][0] - mean[0]);
            put(points[index][1] - mean[1]);
        }
        for index in MOVING {
            let before = last.unwrap_or(points);
            put(points[index][0] - before[index][0]);
            put(points[index][1] - before[index][1]);
        }
        last = Some(points);
    }
    rows
}

/// One frame's `holistic-1662` row.
pub fn holistic_1662(keypoints: &Keypoints) -> Vec<f32> {
    let mut row = Vec::with_capacity(HOLISTIC_1662);
    let mut put = |landmarks: &[Landmark], values: usize| {
        for landmark in landmarks {
            for value in &landmark[..values] {
                row.push(if value.is_finite() { *value } else { 0.0 });
            }
        }
    };
    put(keypoints.part(POSE), 4);
    put(keypoints.part(FACE), 3);
    put(keypoints.part(LEFT_HAND), 3);
    put(keypoints.part(RIGHT_HAND), 3);
    row
}

/// Wrist, index tip and little tip: J is drawn by the little finger, Z by the index finger.
const MOVING: [usize; 3] = [0, 8, 20];

/// Farther than this many knuckle widths or hand sizes from the index base says no more.
const KNUCKLE_LIMIT: f32 = 3.0;

/// A step of more than this many hand sizes is a jump of the tracker or of the camera.
const MOVEMENT_LIMIT: f32 = 6.0;

/// The 20 bones: parent and child landmark.
const BONES: [[usize; 2]; 20] = [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
    [0, 5],
    [5, 6],
    [6, 7],
    [7, 8],
    [0, 9],
    [9, 10],
    [10, 11],
    [11, 12],
    [0, 13],
    [13, 14],
    [14, 15],
    [15, 16],
    [0, 17],
    [17, 18],
    [18, 19],
    [19, 20],
];

/// Bones and the three segments across the palm, whose lengths make the hand size.
pub const SKELETON: [[usize; 2]; 23] = {
    let mut segments = [[0; 2]; 23];
    let mut index = 0;
    while index < BONES.len() {
        segments[index] = BONES[index];
        index += 1;
    }
    segments[20] = [5, 9];
    segments[21] = [9, 13];
    segments[22] = [13, 17];
    segments
};

/// Scales the root mean square segment so that an open hand's palm length is about 1.
const SIZE_SCALE: f32 = 2.0;

/// Hand size in the points' units.
pub fn size(points: &HandPoints) -> f32 {
    let sum: f32 = SKELETON.iter().map(|[a, b]| distance(points[*a], points[*b]).powi(2)).sum();
    SIZE_SCALE * (sum / SKELETON.len() as f32).sqrt()
}

/// Mean of the wrist and the four finger bases.
pub fn centre(points: &HandPoints) -> [f32; 2] {
    let sum = [0, 5, 9, 13, 17]
        .iter()
        .fold([0.0, 0.0], |sum, index| [sum[0] + points[*index][0], sum[1] + points[*index][1]]);
    sum.map(|value| value / 5.0)
}

/// What one frame shows of a right hand, the first [`SHAPE`] values of its row.
pub fn shape(points: &HandPoints) -> [f32; SHAPE] {
    let mut row = [0.0; SHAPE];
    let mut slots = row.iter_mut();
    let mut put = |value: f32| {
        if let Some(slot) = slots.next() {
            *slot = value;
        }
    };
    put(1.0);

    let size = size(points).max(f32::MIN_POSITIVE);
    let centre = centre(points);
    let placed = points.map(|point| [(point[0] - centre[0]) / size, (point[1] - centre[1]) / size]);
    for point in placed {
        put(point[0]);
        put(point[1]);
    }

    // Complex division by the palm's direction, then a quarter turn: the palm points up (negative y).
    let palm = unit(placed[0], placed[9]);
    let upright = placed.map(|point| {
        let along = point[0] * palm[0] + point[1] * palm[1];
        let across = point[1] * palm[0] - point[0] * palm[1];
        [across, -along]
    });
    for point in upright {
        put(point[0]);
        put(point[1]);
    }

    let bones = BONES.map(|[from, to]| unit(placed[from], placed[to]));
    for bone in bones {
        put(bone[0]);
        put(bone[1]);
    }

    put(palm[0]);
    put(palm[1]);
    let [wrist, index, little] = [placed[0], placed[5], placed[17]];
    put((index[0] - wrist[0]) * (little[1] - wrist[1]) - (index[1] - wrist[1]) * (little[0] - wrist[0]));

    for finger in bones.chunks_exact(4) {
        for pair in finger.windows(2) {
            put(pair[0][0] * pair[1][0] + pair[0][1] * pair[1][1]);
        }
    }

    for point in &placed[5..21] {
        put(distance(placed[4], *point));
    }

    for base in [1, 5, 9, 13, 17] {
        put(distance(placed[base], placed[base + 3]));
    }
    for tip in [4, 8, 12, 16] {
        put(distance(placed[tip], placed[tip + 4]));
    }

    // Seen from the side the knuckles fall together; the limits keep the quotient in bounds.
    let knuckles = distance(upright[5], upright[17]).max(0.15);
    let line = [(upright[17][0] - upright[5][0]) / knuckles, (upright[17][1] - upright[5][1]) / knuckles];
    for finger in 0..5 {
        for joint in [2, 3, 4] {
            let point = upright[4 * finger + joint];
            let [x, y] = [point[0] - upright[5][0], point[1] - upright[5][1]];
            put(((x * line[0] + y * line[1]) / knuckles).clamp(-KNUCKLE_LIMIT, KNUCKLE_LIMIT));
            put((y * line[0] - x * line[1]).clamp(-KNUCKLE_LIMIT, KNUCKLE_LIMIT));
        }
    }
    row
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn unit(from: [f32; 2], to: [f32; 2]) -> [f32; 2] {
    let length = distance(from, to);
    if length > 0.0 { [(to[0] - from[0]) / length, (to[1] - from[1]) / length] } else { [0.0, 0.0] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hand() -> impl Strategy<Value = HandPoints> {
        prop::collection::vec(prop::array::uniform2(-1.0f32..1.0), 21)
            .prop_map(|points| std::array::from_fn(|index| points[index]))
    }

    /// A hand whose bones are long enough to have a direction: between two landmarks that nearly coincide it is rounding
    /// that gives one, and differs with the place in the picture.
    fn outstretched_hand() -> impl Strategy<Value = HandPoints> {
        hand().prop_filter("a bone without a direction", |hand| {
            BONES.iter().chain(&[[0, 9]]).all(|&[from, to]| distance(hand[from], hand[to]) > 0.02)
        })
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-3)
    }

    proptest! {
        #[test]
        fn place_and_size_in_the_picture_do_not_matter(
            window in prop::collection::vec(prop::option::weighted(0.8, outstretched_hand()), 1..8),
            offset in prop::array::uniform2(-50.0f32..50.0),
            scale in 0.1f32..10.0,
        ) {
            let moved: Vec<_> = window
                .iter()
                .map(|hand| hand.map(|hand| hand.map(|[x, y]| [scale * (x + offset[0]), scale * (y + offset[1])])))
                .collect();
            prop_assert!(close(&hand_1_rows(&window), &hand_1_rows(&moved)));
        }

        #[test]
        fn a_mirrored_left_hand_is_a_right_hand(hands in prop::collection::vec(outstretched_hand(), 1..8)) {
            let right: Vec<_> =
                hands.iter().map(|hand| Observation { left: None, right: Some(*hand) }).collect();
            let left: Vec<_> = hands
                .iter()
                .map(|hand| Observation { left: Some(hand.map(|[x, y]| [7.0 - x, y])), right: None })
                .collect();
            prop_assert!(close(&hand_1(&right), &hand_1(&left)));
        }

        #[test]
        fn rows_are_finite_and_zero_where_no_hand_is(
            window in prop::collection::vec(prop::option::weighted(0.6, hand()), 1..40),
        ) {
            let rows = hand_1_rows(&window);
            prop_assert_eq!(rows.len(), window.len() * HAND_1);
            prop_assert!(rows.iter().all(|value| value.is_finite()));
            for (row, hand) in rows.chunks(HAND_1).zip(&window) {
                prop_assert_eq!(row[0], if hand.is_some() { 1.0 } else { 0.0 });
                prop_assert!(hand.is_some() || row.iter().all(|value| *value == 0.0));
            }
        }
    }

    #[test]
    fn a_hand_of_no_size_is_finite_too() {
        let rows = hand_1_rows(&[Some([[3.0, 4.0]; 21]); 2]);
        assert!(rows.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn a_turned_hand_differs_in_orientation_but_not_in_shape() {
        let hand: HandPoints = std::array::from_fn(|index| {
            let index = index as f32;
            [index.sin() + 0.1 * index, -0.3 * index + index.cos()]
        });
        let turned = hand.map(|[x, y]| [-y, x]);
        let [a, b] = [hand, turned].map(|hand| hand_1_rows(&[Some(hand)]));
        assert!(close(&a[43..85], &b[43..85]), "upright positions");
        assert!(close(&a[127..SHAPE], &b[127..SHAPE]), "area, joints, thumb, fingers and knuckles");
        assert!(!close(&a[1..43], &b[1..43]), "positions");
    }

    #[test]
    fn the_raised_hand_signs_and_a_tie_is_right() {
        let at = |x: f32, y: f32| -> Option<HandPoints> {
            Some(std::array::from_fn(|index| [x + 0.1 * index as f32, y + 0.2 * (index % 5) as f32]))
        };
        let both =
            |left: f32, right: f32| vec![Observation { left: at(0.0, left), right: at(9.0, right) }; 4];
        assert_eq!(signing_side(&both(0.0, 8.0)), Side::Left);
        assert_eq!(signing_side(&both(8.0, 0.0)), Side::Right);
        assert_eq!(signing_side(&[]), Side::Right);
        // One frame of the other hand, alone, changes nothing.
        let mut window = both(0.0, 8.0);
        window.push(Observation { left: None, right: at(9.0, 8.0) });
        assert_eq!(signing_side(&window), Side::Left);
    }

    #[test]
    fn the_picture_s_aspect_is_undone_and_a_damaged_hand_is_none() {
        let mut keypoints = Keypoints::absent();
        for point in keypoints.part_mut(RIGHT_HAND) {
            *point = [0.5, 0.5, 0.0, 0.0];
        }
        let picture = PictureSize { width: 200, height: 100 };
        let observation = Observation::new(&keypoints, picture);
        assert_eq!(observation.right, Some([[100.0, 50.0]; 21]));
        assert_eq!(observation.left, None);
        keypoints.part_mut(RIGHT_HAND)[20][1] = f32::INFINITY;
        assert!(!Observation::new(&keypoints, picture).has_hand());
    }

    #[test]
    fn holistic_rows_have_zeros_where_nothing_is() {
        assert_eq!(holistic_1662(&Keypoints::absent()), vec![0.0; HOLISTIC_1662]);
        let mut keypoints = Keypoints::absent();
        keypoints.part_mut(RIGHT_HAND)[20] = [0.1, 0.2, 0.3, 0.4];
        let row = holistic_1662(&keypoints);
        assert_eq!(row[HOLISTIC_1662 - 3..], [0.1, 0.2, 0.3]);
        keypoints.part_mut(POSE)[0] = [0.5, 0.6, 0.7, 0.8];
        assert_eq!(holistic_1662(&keypoints)[..4], [0.5, 0.6, 0.7, 0.8]);
    }
}
