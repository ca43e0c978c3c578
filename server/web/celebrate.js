/** A sound and a vibration for what was won, if the learner wants them. */

/** Tones in hertz, one after the other. */
const LETTER = [660];
const WORD = [660, 880];
const TONE_S = 0.09;
const LOUDNESS = 0.08;
const PULSE_MS = 40;

/** Celebrates as the settings say. */
export class Celebration {
  #settings;
  /** @type {AudioContext|undefined} */
  #audio;

  /** @param {{sound: boolean, vibration: boolean}} settings */
  constructor(settings) {
    this.#settings = settings;
  }

  /** @param {boolean} isWord A whole word, else a letter. */
  won(isWord) {
    const tones = isWord ? WORD : LETTER;
    if (this.#settings.sound) this.#play(tones);
    if (this.#settings.vibration) navigator.vibrate?.(tones.flatMap(() => [PULSE_MS, PULSE_MS]).slice(0, -1));
  }

  /** @param {number[]} tones */
  #play(tones) {
    const audio = (this.#audio ??= new AudioContext());
    void audio.resume();
    const gain = audio.createGain();
    gain.connect(audio.destination);
    tones.forEach((tone, index) => {
      const from = audio.currentTime + index * TONE_S;
      const oscillator = new OscillatorNode(audio, { type: "sine", frequency: tone });
      oscillator.connect(gain);
      // Without a slope there would be a click.
      gain.gain.setValueAtTime(0.0001, from);
      gain.gain.exponentialRampToValueAtTime(LOUDNESS, from + 0.01);
      gain.gain.exponentialRampToValueAtTime(0.0001, from + TONE_S);
      oscillator.start(from);
      oscillator.stop(from + TONE_S);
    });
  }
}
