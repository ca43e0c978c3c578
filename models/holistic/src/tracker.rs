//! Follows one person through one stream.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use dactyl_kernels::{Cancel, Cancelled, RunError};

use crate::cadence::{BodyCadence, Cadence, Look};
use crate::face::{self, FACE, FaceInput, FaceTrace};
use crate::frame::RgbFrame;
use crate::hand_alone::{self, HandAloneTrace};
use crate::hands::{self, Guess, HAND, HandInput, HandTrace, Side};
use crate::idle_threads::{Alone, Helpers};
use crate::keypoints::{self, Keypoints, Landmark};
use crate::networks::Networks;
use crate::options::{Options, Profile};
use crate::pose::{self, BODY, Pose, PoseInput, PoseState, PoseTrace};
use crate::region::PictureSize;

/// Indices of the parts that have a place of their own.
const LEFT: usize = 0;
const RIGHT: usize = 1;
const FACE_PART: usize = 2;
/// Body landmark in the middle of the head.
const NOSE: usize = 0;
/// Frames for which a body remains a person's after its face was lost, so that a face that is turned away or covered for a moment
/// changes nothing.
const FACELESS: u32 = 15;

/// What one frame shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The 543 landmarks; NaN where a part was not found.
    pub keypoints: Keypoints,
    /// The body in metres from the middle of the hips, axes as the picture's, with visibility; `None` without a person.
    pub world: Option<[Landmark; BODY]>,
    /// Whether the hand was found without a body. It is then the only one.
    pub is_hand_alone: bool,
    /// How the landmarks came about.
    pub trace: Trace,
}

/// What happened on the way to a frame's landmarks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// The body.
    pub pose: PoseTrace,
    /// The left hand.
    pub left_hand: HandTrace,
    /// The right hand.
    pub right_hand: HandTrace,
    /// The face.
    pub face: FaceTrace,
    /// A hand without a body.
    pub hand_alone: HandAloneTrace,
}

/// What is kept from frame to frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pose: PoseState,
    body: Option<Pose>,
    left_hand: Option<[Landmark; HAND]>,
    right_hand: Option<[Landmark; HAND]>,
    face: Option<Box<[Landmark; FACE]>>,
    body_cadence: BodyCadence,
    /// Of the left hand, the right hand and the face.
    cadences: [Cadence; 3],
    hand_alone: HandAlone,
    /// Frames since a face was found on the body that is followed; `None` if none was.
    faceless: Option<u32>,
}

/// A hand without a body, and the last looks at it.
#[derive(Debug, Clone, Default, PartialEq)]
struct HandAlone {
    hand: Option<(Side, [Landmark; HAND])>,
    cadence: Cadence,
}

/// A frame to analyse, and who may help with it.
struct Task<'a, H> {
    helpers: &'a H,
    frame: &'a RgbFrame<'a>,
    picture: PictureSize,
    /// Microseconds.
    time: i64,
    /// Whether the body stays as the last frame had it.
    is_body_held: bool,
    cancel: &'a Cancel,
}

/// Follows one person through the frames of one stream, or a hand as long as nobody is there.
pub struct Tracker {
    networks: Networks,
    options: Options,
    pub(crate) state: State,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(networks: Networks, options: Options) -> Self {
        Self { networks, options, state: State::default() }
    }

    /// Changes the settings from the next frame on.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// Forgets the person.
    pub fn reset(&mut self) {
        self.state = State::default();
    }

    /// Analyses the next frame. `time` is the frame's time in microseconds; it drives the smoothing filters, and limits how
    /// long the fast profile holds a part; a frame whose time is not later than the last one's is not smoothed. MediaPipe's
    /// Python solution gives its k-th frame the time k * 33333, whatever the real rate.
    ///
    /// # Errors
    /// [`RunError`] if `cancel` is cancelled or a network fails. The tracker is then as it was before the frame.
    pub fn process(&mut self, frame: &RgbFrame<'_>, time: i64, cancel: &Cancel) -> Result<Frame, RunError> {
        self.process_with(&Alone, frame, time, cancel)
    }

    /// As [`Self::process`]: hands and face are analysed at the same time as far as `helpers` are idle, and a hand that keeps
    /// its place already while the body is looked for. The landmarks are the same.
    ///
    /// # Errors
    /// As [`Self::process`].
    pub fn process_with(
        &mut self,
        helpers: &impl Helpers,
        frame: &RgbFrame<'_>,
        time: i64,
        cancel: &Cancel,
    ) -> Result<Frame, RunError> {
        let picture = PictureSize::new(frame.width, frame.height);
        let is_body_held = self.is_body_held(time);
        let task = Task { helpers, frame, picture, time, is_body_held, cancel };
        let mut trace = Trace::default();
        let mut next = State { pose: self.state.pose.clone(), ..State::default() };
        let mut guesses = [None, None];
        let is_nobody_looked_for = self.is_nobody_looked_for(time);
        if is_body_held || is_nobody_looked_for {
            next.body.clone_from(&self.state.body);
            next.body_cadence = self.state.body_cadence.after_hold();
        } else {
            guesses = self.track_body(&task, &mut next, &mut trace)?;
        }
        if is_nobody_looked_for {
            next.cadences.clone_from(&self.state.cadences);
        } else if let Some(pose) = next.body.clone() {
            self.track_parts(&task, &pose.body, &guesses, &mut next, &mut trace)?;
        }
        next.faceless = match (&next.body, &next.face) {
            (None, _) => None,
            (Some(_), Some(_)) => Some(0),
            (Some(_), None) => self.state.faceless.map(|frames| frames.saturating_add(1)),
        };
        if !self.is_person(&next) {
            next.hand_alone = self.track_hand_alone(&task, &mut trace.hand_alone)?;
        }
        // A termination that falls between two networks ends the frame too.
        if cancel.is_cancelled() {
            return Err(Cancelled.into());
        }

        self.state = next;
        Ok(Frame {
            keypoints: self.state.keypoints(),
            world: self.state.body.as_ref().map(|pose| pose.world),
            is_hand_alone: self.state.hand_alone.hand.is_some(),
            trace,
        })
    }

    /// The body, and what was found at the same time of the hands, if somebody is idle.
    fn track_body(
        &self,
        task: &Task<'_, impl Helpers>,
        next: &mut State,
        trace: &mut Trace,
    ) -> Result<[Option<Guess>; 2], RunError> {
        let &Task { helpers, frame, picture, time, cancel, .. } = task;
        let mut guesses = [None, None];
        let input =
            PoseInput { frame, picture, time, networks: &self.networks, options: &self.options, cancel };
        let is_posed = AtomicBool::new(false);
        let mut pose = || {
            let body = pose::track(&input, &mut next.pose, &mut trace.pose);
            is_posed.store(true, Ordering::Relaxed);
            body
        };
        if [LEFT, RIGHT].into_iter().any(|hand| self.is_guessed(hand, time)) {
            let guess = || self.guess_hands(task, &is_posed);
            let (body, found) = helpers.join_if_idle(pose, guess);
            next.body = body?;
            guesses = found.transpose()?.unwrap_or(guesses);
        } else {
            next.body = pose()?;
        }
        if let (Some(pose), Some(region)) = (&next.body, next.pose.region) {
            let previous = self.state.body.as_ref().map(|pose| pose.body.as_slice());
            let side = region.pixel_size(picture);
            next.body_cadence = BodyCadence::after_look(&pose.body, previous, side, picture, time);
        }
        Ok(guesses)
    }

    /// Whether the body stays as the last frame had it, in the frame of that time.
    fn is_body_held(&self, time: i64) -> bool {
        let State { body_cadence, left_hand, right_hand, cadences, .. } = &self.state;
        let mut hands = cadences.iter().zip([left_hand, right_hand]);
        self.options.profile == Profile::Fast
            && body_cadence.is_held(time)
            && hands.all(|(cadence, hand)| cadence.needs_no_body(hand.is_some()))
    }

    /// Whether a part is looked for where the last frame had it, whatever the body says.
    fn is_followed<H>(&self, task: &Task<'_, H>, part: usize) -> bool {
        let cadence = &self.state.cadences[part];
        // A body that is held has nothing to confirm.
        self.options.profile == Profile::Fast
            && (cadence.is_followed() || task.is_body_held && cadence.is_steady())
    }

    /// Whether a part stays as the last frame had it, in the frame of that time.
    fn is_held(&self, part: usize, time: i64) -> bool {
        self.options.profile == Profile::Fast && self.state.cadences[part].is_held(time)
    }

    /// Whether a frame shows a person. Of a hand that fills the picture the pose networks often make a body, whose head lies in
    /// the picture too, but there is no face on it, and its hands are often found where there are none.
    fn is_person(&self, found: &State) -> bool {
        let State { body: Some(pose), left_hand, right_hand, faceless, .. } = found else { return false };
        let has_hand = left_hand.is_some() || right_hand.is_some();
        faceless.is_some_and(|frames| frames <= FACELESS)
            // Where faces are not looked for, their lack says nothing.
            || self.networks.face.is_none()
            || has_hand && !is_in_picture(&pose.body[NOSE])
    }

    /// Whether nobody is looked for in the frame of that time, because a hand alone rests or keeps its place.
    fn is_nobody_looked_for(&self, time: i64) -> bool {
        let HandAlone { hand, cadence } = &self.state.hand_alone;
        self.options.profile == Profile::Fast
            && hand.is_some()
            && (cadence.is_followed() || cadence.is_held(time))
    }

    /// The hand without a body, in a frame that shows no person.
    fn track_hand_alone<H>(
        &self,
        task: &Task<'_, H>,
        trace: &mut HandAloneTrace,
    ) -> Result<HandAlone, RunError> {
        let &Task { frame, picture, time, cancel, .. } = task;
        let State { left_hand, right_hand, hand_alone: HandAlone { hand, cadence }, .. } = &self.state;
        let Some((networks, palm)) =
            self.networks.hands.as_ref().and_then(|networks| Some((networks, networks.palm.as_ref()?)))
        else {
            return Ok(HandAlone::default());
        };
        let is_held = if hand.is_some() { cadence.is_held(time) } else { cadence.is_palm_search_held() };
        if self.options.profile == Profile::Fast && is_held {
            return Ok(HandAlone { hand: *hand, cadence: cadence.after_hold() });
        }
        let previous = match (hand, left_hand, right_hand) {
            (Some((_, hand)), _, _) => Some(hand),
            (None, Some(hand), None) | (None, None, Some(hand)) if self.is_person(&self.state) => Some(hand),
            // Of two hands of a person who is gone, the palm detector takes the one that is seen better.
            _ => None,
        };
        let input = HandInput { frame, picture, body: None, previous, networks, cancel };
        let hand = hand_alone::track(&input, palm, trace)?;
        let look = Look {
            landmarks: hand.as_ref().map(|(_, landmarks)| landmarks.as_slice()),
            previous: previous.map(<[_; HAND]>::as_slice),
            kept_place: trace.hand.region == trace.hand.region_from_previous,
            // Where the detector finds no palm, it is sure that there is no hand.
            presence: Some(trace.hand.presence.unwrap_or(0.0)),
        };
        Ok(HandAlone { hand, cadence: cadence.after_look(&look, picture, time) })
    }

    /// Whether a hand is worth a look before the body is known.
    fn is_guessed(&self, hand: usize, time: i64) -> bool {
        self.state.cadences[hand].is_steady() && !self.is_held(hand, time)
    }

    /// Looks for the hands that kept their place so far, until the body is known: that needs it to be sure of the place.
    fn guess_hands<H>(
        &self,
        task: &Task<'_, H>,
        is_posed: &AtomicBool,
    ) -> Result<[Option<Guess>; 2], RunError> {
        let &Task { frame, picture, time, cancel, .. } = task;
        let mut guesses = [None, None];
        let Some(networks) = &self.networks.hands else { return Ok(guesses) };
        let hands = [&self.state.left_hand, &self.state.right_hand];
        for (hand, guess) in guesses.iter_mut().enumerate() {
            if self.is_guessed(hand, time) && !is_posed.load(Ordering::Relaxed) {
                let previous = hands[hand].as_ref();
                *guess = hands::guess(&HandInput { frame, picture, body: None, previous, networks, cancel })?;
            }
        }
        Ok(guesses)
    }

    /// Hands and face of the person with that `body`.
    fn track_parts(
        &self,
        task: &Task<'_, impl Helpers>,
        body: &[Landmark; BODY],
        guesses: &[Option<Guess>; 2],
        next: &mut State,
        trace: &mut Trace,
    ) -> Result<(), RunError> {
        let &Task { helpers, frame, picture, time, cancel, .. } = task;
        let found = Mutex::new((next, trace));
        // The place of what is followed needs no confirmation.
        let body = |part| (!self.is_followed(task, part)).then_some(body);
        let hand = |side, previous: &Option<[Landmark; HAND]>, part: usize| {
            let mut trace = HandTrace::default();
            let cadence = &self.state.cadences[part];
            let Some(networks) = &self.networks.hands else { return Ok((None, cadence.clone(), trace)) };
            if self.is_held(part, time) {
                return Ok((*previous, cadence.after_hold(), trace));
            }
            let (previous, body, guess) = (previous.as_ref(), body(part), &guesses[part]);
            let input = HandInput { frame, picture, body, previous, networks, cancel };
            let landmarks = hands::track(&input, side, guess.as_ref(), &mut trace)?;
            let look = Look {
                landmarks: landmarks.as_ref().map(<[_; HAND]>::as_slice),
                previous: previous.map(<[_; HAND]>::as_slice),
                kept_place: trace.region == trace.region_from_previous,
                presence: trace.presence,
            };
            let cadence = cadence.after_look(&look, picture, time);
            Ok::<_, RunError>((landmarks, cadence, trace))
        };
        let face = || {
            let mut trace = FaceTrace::default();
            let cadence = &self.state.cadences[FACE_PART];
            let Some(networks) = &self.networks.face else { return Ok((None, cadence.clone(), trace)) };
            if self.is_held(FACE_PART, time) {
                return Ok((self.state.face.clone(), cadence.after_hold(), trace));
            }
            let (previous, body) = (self.state.face.as_deref(), body(FACE_PART));
            let input = FaceInput { frame, picture, body, previous, networks, cancel };
            let landmarks = face::track(&input, &mut trace)?.map(Box::new);
            let look = Look {
                landmarks: landmarks.as_deref().map(<[_; FACE]>::as_slice),
                previous: previous.map(<[_; FACE]>::as_slice),
                kept_place: trace.region == trace.region_from_previous,
                presence: trace.presence,
            };
            let cadence = cadence.after_look(&look, picture, time);
            Ok::<_, RunError>((landmarks, cadence, trace))
        };

        // Who is free takes the next part: a hand out of the picture costs nothing, a face little.
        let next_part = AtomicUsize::new(0);
        let work = || {
            let found = || found.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                match next_part.fetch_add(1, Ordering::Relaxed) {
                    LEFT => {
                        let (hand, cadence, hand_trace) = hand(Side::Left, &self.state.left_hand, LEFT)?;
                        let (next, trace) = &mut *found();
                        (next.left_hand, next.cadences[LEFT], trace.left_hand) = (hand, cadence, hand_trace);
                    }
                    RIGHT => {
                        let (hand, cadence, hand_trace) = hand(Side::Right, &self.state.right_hand, RIGHT)?;
                        let (next, trace) = &mut *found();
                        (next.right_hand, next.cadences[RIGHT], trace.right_hand) =
                            (hand, cadence, hand_trace);
                    }
                    FACE_PART => {
                        let (face, cadence, face_trace) = face()?;
                        let (next, trace) = &mut *found();
                        (next.face, next.cadences[FACE_PART], trace.face) = (face, cadence, face_trace);
                    }
                    _ => return Ok(()),
                }
            }
        };
        let (one, (other, third)) = helpers.join(work, || helpers.join(work, work));
        one.and(other).and(third)
    }
}

fn is_in_picture(landmark: &Landmark) -> bool {
    landmark[..2].iter().all(|place| (0.0..=1.0).contains(place))
}

impl State {
    /// Everything that was found, in the common layout.
    fn keypoints(&self) -> Keypoints {
        let mut all = Keypoints::absent();
        let [left, right] = match &self.hand_alone.hand {
            Some((Side::Left, hand)) => [Some(hand), None],
            Some((Side::Right, hand)) => [None, Some(hand)],
            None => [self.left_hand.as_ref(), self.right_hand.as_ref()],
        };
        let parts = [
            (keypoints::POSE, self.body.as_ref().map(|pose| pose.body.as_slice())),
            (keypoints::FACE, self.face.as_ref().map(|face| face.as_slice())),
            (keypoints::LEFT_HAND, left.map(<[_; HAND]>::as_slice)),
            (keypoints::RIGHT_HAND, right.map(<[_; HAND]>::as_slice)),
        ];
        for (range, landmarks) in parts {
            if let Some(landmarks) = landmarks {
                all.part_mut(range).copy_from_slice(landmarks);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Parts;
    use crate::tests::folder;

    fn tracker(parts: Parts) -> Tracker {
        Tracker::new(Networks::load(&folder(), parts).expect("run make test"), Options::default())
    }

    /// A body with its nose at that height, with or without a hand, whose face was found so many frames ago.
    fn body(nose: f32, has_hand: bool, faceless: Option<u32>) -> State {
        let mut body = [[0.5; 4]; BODY];
        body[NOSE][1] = nose;
        State {
            body: Some(Pose { body, world: body }),
            left_hand: has_hand.then_some([[0.5; 4]; HAND]),
            faceless,
            ..State::default()
        }
    }

    #[test]
    fn a_person_has_a_face_or_a_hand_and_the_head_beside_the_picture() {
        let tracker = tracker(Parts::ALL);
        assert!(!tracker.is_person(&State::default()));
        assert!(tracker.is_person(&body(0.2, false, Some(0))));
        assert!(tracker.is_person(&body(-0.1, false, Some(FACELESS))), "the face was there a moment ago");
        assert!(tracker.is_person(&body(-0.1, true, None)));
        assert!(!tracker.is_person(&body(-0.1, false, None)), "nothing was found of it");
        assert!(!tracker.is_person(&body(0.2, true, None)), "a head in the picture without a face");
        assert!(!tracker.is_person(&body(0.2, true, Some(FACELESS + 1))));
    }

    #[test]
    fn any_body_is_a_person_where_faces_are_not_looked_for() {
        let tracker = tracker(Parts { face: false, ..Parts::ALL });
        assert!(tracker.is_person(&body(0.2, false, None)));
    }

    #[test]
    fn a_hand_alone_takes_the_place_of_those_that_were_found_on_a_body_that_is_no_person() {
        let mut state = body(0.2, true, None);
        state.hand_alone.hand = Some((Side::Right, [[0.25; 4]; HAND]));
        let keypoints = state.keypoints();
        assert!(!keypoints.is_present(keypoints::LEFT_HAND));
        assert_eq!(keypoints.part(keypoints::RIGHT_HAND), [[0.25; 4]; HAND]);
        assert!(keypoints.is_present(keypoints::POSE));
    }
}
