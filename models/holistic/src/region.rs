//! Regions of interest: rotated rectangles on the picture, made from points and landmarks, moved and compared.
//!
//! All arithmetic is float32 in MediaPipe's order of operations: a region that differs by 1e-4 px already
//! changes 8-bit rounding in the crop and with it the landmarks.

use crate::functions::{atan2, sin_cos};
use std::f64::consts::PI;

/// Width and height of the picture in pixels, as float32 (exact up to 16 777 216).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PictureSize {
    /// Pixels in a row.
    pub width: f32,
    /// Rows.
    pub height: f32,
}

impl PictureSize {
    /// The size of a picture of `width` x `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width: width as f32, height: height as f32 }
    }

    /// A normalised point in pixels.
    pub fn pixels(self, point: Point) -> Point {
        [point[0] * self.width, point[1] * self.height]
    }
}

/// x and y, normalised by the picture's width and height unless a name says pixels.
pub type Point = [f32; 2];

/// A rotated rectangle on the picture. Centre and size are normalised by the picture's width (x) and height (y).
///
/// A positive rotation turns the crop clockwise on the screen: a point (dx, dy) of the rectangle's own frame lies at
/// (dx cos - dy sin, dx sin + dy cos) from the centre, and y points down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Centre, x.
    pub x: f32,
    /// Centre, y.
    pub y: f32,
    /// Width before the rotation.
    pub width: f32,
    /// Height before the rotation.
    pub height: f32,
    /// Radians, -pi to pi.
    pub rotation: f32,
}

/// How a region changes before it is used: shift along its own y axis, square, scale.
#[derive(Debug, Clone, Copy)]
pub struct Transform {
    /// Shift in heights of the region as it is before squaring and scaling; negative = towards the crop's top.
    pub shift_y: f32,
    /// Factor for both sides of the square.
    pub scale: f32,
}

/// When a region found from the previous frame's landmarks may replace the one detected in this frame.
#[derive(Debug, Clone, Copy)]
pub struct TrackingLimits {
    /// Largest difference of the rotations, degrees.
    pub rotation_degrees: f32,
    /// Largest distance of the centres along each axis, in sizes of the detected region.
    pub translation: f32,
    /// Largest difference of width and of height, in sizes of the detected region.
    pub scale: f32,
    /// Share of the detected region's size that its inner part lacks; every previous landmark must lie in that part.
    pub margin: f32,
}

/// The angle as a number from -pi (included) to pi.
pub fn wrap(angle: f32) -> f32 {
    let angle = f64::from(angle);
    (angle - 2.0 * PI * ((angle + PI) / (2.0 * PI)).floor()) as f32
}

/// Rotation of a region whose axis from `from` to `to` (pixels) shall appear at `target` radians.
fn rotation(from: Point, to: Point, target: f32) -> f32 {
    wrap(target - atan2(-(to[1] - from[1]), to[0] - from[0]))
}

/// The direction "up" of a crop, radians.
pub const UP: f32 = std::f32::consts::FRAC_PI_2;
/// The direction "down" of a crop, radians.
pub const DOWN: f32 = -std::f32::consts::FRAC_PI_2;
/// The direction "to the right" of a crop, radians.
pub const RIGHT: f32 = 0.0;

/// Smallest and largest x and y.
struct Bounds {
    min: Point,
    max: Point,
}

impl Bounds {
    /// Bounds of points; the maxima start at `start`.
    ///
    /// MediaPipe starts the maxima of landmarks at `numeric_limits<float>::min()`, the smallest *positive* number:
    /// bounds of landmarks end at 0 even if all of them lie left of (or above) the picture.
    fn of(points: impl Iterator<Item = Point>, start: f32) -> Self {
        let mut bounds = Self { min: [f32::MAX; 2], max: [start; 2] };
        for point in points {
            for (axis, value) in point.into_iter().enumerate() {
                bounds.min[axis] = bounds.min[axis].min(value);
                bounds.max[axis] = bounds.max[axis].max(value);
            }
        }
        bounds
    }

    fn middle(&self) -> Point {
        [(self.max[0] + self.min[0]) / 2.0, (self.max[1] + self.min[1]) / 2.0]
    }
}

impl Region {
    /// The square round `center` with twice the distance to `end` as its side, turned so that `end` lies in the
    /// direction `target`.
    pub fn from_alignment(center: Point, end: Point, target: f32, picture: PictureSize) -> Self {
        Self::around(picture.pixels(center), picture.pixels(end), target, picture)
    }

    /// As [`Region::from_alignment`], with points in pixels.
    fn around(center: Point, end: Point, target: f32, picture: PictureSize) -> Self {
        let (dx, dy) = (end[0] - center[0], end[1] - center[1]);
        let side = (dx * dx + dy * dy).sqrt() * 2.0;
        Self {
            x: center[0] / picture.width,
            y: center[1] / picture.height,
            width: side / picture.width,
            height: side / picture.height,
            rotation: rotation(center, end, target),
        }
    }

    /// The hand as the body landmarks suggest it: round the estimated middle finger's knuckle, fingers up.
    pub fn from_wrist_and_knuckles(wrist: Point, little: Point, index: Point, picture: PictureSize) -> Self {
        let (wrist, little, index) = (picture.pixels(wrist), picture.pixels(little), picture.pixels(index));
        let middle = [(2.0 * index[0] + little[0]) / 3.0, (2.0 * index[1] + little[1]) / 3.0];
        Self { rotation: rotation(wrist, middle, UP), ..Self::around(middle, wrist, UP, picture) }
    }

    /// The bounding box of landmarks, turned so that the axis from one point to another lies level.
    ///
    /// The box is parallel to the picture's sides although the region is used turned; so does MediaPipe.
    pub fn from_landmarks(
        points: impl Iterator<Item = Point>,
        level: [Point; 2],
        picture: PictureSize,
    ) -> Self {
        let bounds = Bounds::of(points, f32::MIN_POSITIVE);
        let (width, height) = (bounds.max[0] - bounds.min[0], bounds.max[1] - bounds.min[1]);
        Self {
            x: bounds.min[0] + width / 2.0,
            y: bounds.min[1] + height / 2.0,
            width,
            height,
            rotation: rotation(picture.pixels(level[0]), picture.pixels(level[1]), RIGHT),
        }
    }

    /// The bounding box of a detector's keypoints, turned so that the first two lie level.
    pub fn from_keypoints(points: &[Point], level: [Point; 2], picture: PictureSize) -> Self {
        let bounds = Bounds::of(points.iter().copied(), f32::NEG_INFINITY);
        let [x, y] = bounds.middle();
        Self {
            x,
            y,
            width: bounds.max[0] - bounds.min[0],
            height: bounds.max[1] - bounds.min[1],
            rotation: rotation(picture.pixels(level[0]), picture.pixels(level[1]), RIGHT),
        }
    }

    /// A detector's box from its top left corner on, turned so that the axis from one point to another points up.
    pub fn from_box(corner: Point, size: Point, axis: [Point; 2], picture: PictureSize) -> Self {
        let [from, to] = axis.map(|point| picture.pixels(point));
        Self {
            x: corner[0] + size[0] / 2.0,
            y: corner[1] + size[1] / 2.0,
            width: size[0],
            height: size[1],
            rotation: rotation(from, to, UP),
        }
    }

    /// The hand from its 21 landmarks: a box in the hand's own direction round wrist, thumb root and finger roots.
    pub fn from_hand(landmarks: &[Point; 21], picture: PictureSize) -> Self {
        /// Landmarks without the outer joints of the fingers, which move too much.
        const STEADY: [usize; 12] = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18];

        let wrist = picture.pixels(landmarks[0]);
        let knuckles = [0, 1].map(|axis| {
            let outer = (landmarks[5][axis] + landmarks[13][axis]) / 2.0;
            (outer + landmarks[9][axis]) / 2.0
        });
        let rotation = rotation(wrist, picture.pixels(knuckles), UP);

        let steady = STEADY.map(|index| landmarks[index]);
        let center = Bounds::of(steady.into_iter(), f32::MIN_POSITIVE).middle();
        let back = wrap(-rotation);
        let (sin, cos) = sin_cos(back);
        let turned = Bounds::of(
            steady.into_iter().map(|point| {
                let x = (point[0] - center[0]) * picture.width;
                let y = (point[1] - center[1]) * picture.height;
                [x * cos - y * sin, x * sin + y * cos]
            }),
            f32::MIN_POSITIVE,
        );
        let [x, y] = turned.middle();
        let (sin, cos) = sin_cos(rotation);
        Self {
            x: (x * cos - y * sin + picture.width * center[0]) / picture.width,
            y: (x * sin + y * cos + picture.height * center[1]) / picture.height,
            width: (turned.max[0] - turned.min[0]) / picture.width,
            height: (turned.max[1] - turned.min[1]) / picture.height,
            rotation,
        }
    }

    /// Shifts, squares and scales, in this order; the rotation stays.
    pub fn transformed(self, transform: Transform, picture: PictureSize) -> Self {
        let Transform { shift_y, scale } = transform;
        let PictureSize { width, height } = picture;
        let (mut x, mut y) = (self.x, self.y);
        if self.rotation == 0.0 {
            y += self.height * shift_y;
        } else {
            let (sin, cos) = sin_cos(self.rotation);
            let shift = height * self.height * shift_y;
            x += -(shift * sin) / width;
            y += shift * cos / height;
        }
        let side = (self.width * width).max(self.height * height);
        Self { x, y, width: side / width * scale, height: side / height * scale, rotation: self.rotation }
    }

    /// Mean of width and height in pixels: the object scale of the smoothing filters.
    pub fn pixel_size(&self, picture: PictureSize) -> f32 {
        (self.width * picture.width + self.height * picture.height) / 2.0
    }

    /// Whether `previous` (from the previous frame's `landmarks`) is near enough to this region, detected in the
    /// current frame, to be kept instead of it.
    pub fn confirms(
        &self,
        previous: &Self,
        mut landmarks: impl Iterator<Item = Point>,
        limits: &TrackingLimits,
        picture: PictureSize,
    ) -> bool {
        // Everything is turned so that this region's sides are parallel to the axes.
        let (sin, cos) = sin_cos(-self.rotation);
        let turned = |x: f32, y: f32| {
            let [x, y] = picture.pixels([x, y]);
            [x * cos - y * sin, x * sin + y * cos]
        };
        let degrees = |radians: f32| (f64::from(radians) / PI * 180.0) as f32;

        let mut angle = degrees(previous.rotation) - degrees(self.rotation);
        if angle > 180.0 {
            angle -= 360.0;
        }
        if angle < -180.0 {
            angle += 360.0;
        }
        let center = turned(self.x, self.y);
        let previous_center = turned(previous.x, previous.y);
        let size = picture.pixels([self.width, self.height]);
        let previous_size = picture.pixels([previous.width, previous.height]);
        let steady = angle.abs() <= limits.rotation_degrees
            && (0..2).all(|axis| {
                (previous_center[axis] - center[axis]).abs() <= size[axis] * limits.translation
                    && (previous_size[axis] - size[axis]).abs() <= size[axis] * limits.scale
            });

        let inner = size.map(|side| side * (1.0 - limits.margin));
        steady
            && landmarks.all(|[x, y]| {
                let point = turned(x, y);
                (0..2).all(|axis| {
                    let half = inner[axis] * 0.5;
                    center[axis] - half < point[axis] && point[axis] < center[axis] + half
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_near(found: Region, expected: [f32; 5]) {
        let found = [found.x, found.y, found.width, found.height, found.rotation];
        for (found_value, expected_value) in found.into_iter().zip(expected) {
            assert!((found_value - expected_value).abs() < 5e-6, "{found:?} instead of {expected:?}");
        }
    }

    /// MediaPipe's numbers for the portrait that scikit-image ships as `astronaut`.
    #[test]
    fn the_next_pose_region_follows_the_worked_example() {
        let picture = PictureSize::new(512, 512);
        let region = Region::from_alignment([0.371_935, 1.035_245], [0.433_498, 0.035_875], UP, picture);
        let region = region.transformed(Transform { shift_y: 0.0, scale: 1.25 }, picture);
        assert_near(region, [0.371_935, 1.035_245, 2.503_161, 2.503_161, 0.061_524]);
    }

    #[test]
    fn a_shift_goes_along_the_region_s_own_axis_and_counts_in_its_height() {
        let region = Region { x: 0.5, y: 0.5, width: 0.1, height: 0.2, rotation: UP };
        let picture = PictureSize::new(200, 100);
        let moved = region.transformed(Transform { shift_y: -0.5, scale: 2.0 }, picture);
        // 20 px high, turned by a quarter: half of that to the right of 200 px; the square has sides of 20 px, doubled.
        assert_near(moved, [0.55, 0.5, 0.2, 0.4, UP]);
    }

    #[test]
    fn bounds_of_landmarks_end_at_the_picture_s_edge_at_least() {
        let picture = PictureSize::new(100, 100);
        let points = [[-0.4, -0.2], [-0.2, -0.1]];
        let landmarks = Region::from_landmarks(points.into_iter(), [[0.0, 0.0], [1.0, 0.0]], picture);
        assert_near(landmarks, [-0.2, -0.1, 0.4, 0.2, 0.0]);
        let keypoints = Region::from_keypoints(&points, [[0.0, 0.0], [1.0, 0.0]], picture);
        assert_near(keypoints, [-0.3, -0.15, 0.2, 0.1, 0.0]);
    }

    #[test]
    fn a_previous_region_is_kept_within_its_limits_only() {
        let limits = TrackingLimits { rotation_degrees: 40.0, translation: 0.2, scale: 0.4, margin: 0.1 };
        let picture = PictureSize::new(640, 480);
        let detected = Region { x: 0.5, y: 0.5, width: 0.2, height: 0.2, rotation: 3.0 };
        let kept = |previous: Region, landmark: Point| {
            detected.confirms(&previous, [landmark].into_iter(), &limits, picture)
        };
        let center = [0.5, 0.5];
        assert!(kept(detected, center));
        // Across the half turn: 3.0 and -2.7 are 33.4 degrees apart.
        assert!(kept(Region { rotation: -2.7, ..detected }, center));
        assert!(!kept(Region { rotation: -2.5, ..detected }, center));
        assert!(!kept(Region { width: 0.29, ..detected }, center));
        assert!(!kept(Region { x: 0.57, ..detected }, center));
        assert!(!kept(detected, [0.5, 0.5 + 0.2]));
    }

    proptest! {
        #[test]
        fn wrapped_angles_lie_in_one_turn(angle in -1e4_f32..1e4) {
            let wrapped = wrap(angle);
            prop_assert!((-PI as f32..=PI as f32).contains(&wrapped));
            let turns = f64::from(angle - wrapped) / (2.0 * PI);
            prop_assert!((turns - turns.round()).abs() < 1e-3);
        }

        #[test]
        fn a_transformed_region_is_square_in_pixels(
            x in -1.0_f32..2.0, width in 0.01_f32..2.0, height in 0.01_f32..2.0, rotation in -3.1_f32..3.1,
            shift_y in -0.5_f32..0.5, scale in 0.5_f32..3.0, columns in 1_u32..4000, rows in 1_u32..4000,
        ) {
            let picture = PictureSize::new(columns, rows);
            let region = Region { x, y: x, width, height, rotation };
            let square = region.transformed(Transform { shift_y, scale }, picture);
            let [wide, high] = [square.width * picture.width, square.height * picture.height];
            prop_assert!((wide - high).abs() <= wide * 1e-5);
        }

        #[test]
        fn alignment_points_keep_their_distance_when_the_picture_is_turned(
            x in 0.0_f32..1.0, y in 0.0_f32..1.0, dx in -0.5_f32..0.5, dy in -0.5_f32..0.5,
        ) {
            let picture = PictureSize::new(300, 300);
            let upright = Region::from_alignment([x, y], [x + dx, y + dy], UP, picture);
            let turned = Region::from_alignment([1.0 - y, x], [1.0 - y - dy, x + dx], UP, picture);
            prop_assert!((upright.width - turned.width).abs() < 1e-5);
            let quarter = wrap(turned.rotation - upright.rotation) - UP;
            prop_assert!(dx.hypot(dy) < 1e-3 || wrap(quarter).abs() < 1e-2);
        }
    }
}
