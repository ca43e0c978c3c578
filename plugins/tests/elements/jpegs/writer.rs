//! JPEGs with any sampling factors, of random coefficients: no encoder writes them all.

/// What a JPEG of 8-bit samples can be.
#[derive(Debug, Clone)]
pub struct Picture {
    pub width: u16,
    pub height: u16,
    /// Name, horizontal and vertical sampling factor of each component.
    pub components: Vec<(u8, [u8; 2])>,
    pub progressive: bool,
    /// Whether each component's data stand in scans of their own.
    pub is_apart: bool,
    /// Units from restart marker to restart marker; 0 = no markers.
    pub restart_interval: u16,
    /// What stands between the first marker and the rest.
    pub metadata: Vec<u8>,
    /// Of the coefficients.
    pub seed: u64,
}

/// One 8 x 8 block of coefficients, in zigzag order.
type Block = [i16; 64];

/// Bits of an AC code. Its code of a symbol is the symbol itself; that of 0xFF would be all ones, which is no code.
const AC_BITS: u8 = 8;
/// Bits of a DC code, likewise.
const DC_BITS: u8 = 4;
/// Lowest bit of the DC coefficients that a progressive picture's first scan leaves out.
const DC_SHIFT: u8 = 1;

impl Picture {
    /// The file.
    pub fn write(&self) -> Vec<u8> {
        let mut file = vec![0xFF, 0xD8];
        file.extend(&self.metadata);
        segment(&mut file, 0xDB, &[&[0][..], &[12; 64]].concat());
        let mut header = vec![8];
        header.extend(self.height.to_be_bytes());
        header.extend(self.width.to_be_bytes());
        header.push(u8::try_from(self.components.len()).unwrap());
        for (name, [horizontal, vertical]) in &self.components {
            header.extend([*name, horizontal << 4 | vertical, 0]);
        }
        segment(&mut file, if self.progressive { 0xC2 } else { 0xC0 }, &header);
        for (slot, bits, symbols) in [(0x00, DC_BITS, 0..15_u8), (0x10, AC_BITS, 0..255)] {
            let mut counts = [0; 16];
            counts[usize::from(bits) - 1] = symbols.end;
            segment(&mut file, 0xC4, &[&[slot][..], &counts, &symbols.collect::<Vec<_>>()].concat());
        }
        if self.restart_interval > 0 {
            segment(&mut file, 0xDD, &self.restart_interval.to_be_bytes());
        }
        let all: Vec<usize> = (0..self.components.len()).collect();
        let apart: Vec<&[usize]> = all.chunks(1).collect();
        let together = if self.is_apart { apart.clone() } else { vec![&all[..]] };
        let planes: Vec<Vec<Block>> = all.iter().map(|&index| self.coefficients(index)).collect();
        if self.progressive {
            for (components, high, low) in together
                .iter()
                .map(|scan| (scan, 0, DC_SHIFT))
                .chain(together.iter().map(|scan| (scan, 1, 0)))
            {
                self.scan(&mut file, components, [0, 0, high << 4 | low], &planes);
            }
            for (components, band) in apart.iter().flat_map(|scan| [(scan, [1, 5, 0]), (scan, [6, 63, 0])]) {
                self.scan(&mut file, components, band, &planes);
            }
        } else {
            for components in together {
                self.scan(&mut file, components, [0, 63, 0], &planes);
            }
        }
        file.extend([0xFF, 0xD9]);
        file
    }

    /// Largest factors, horizontal and vertical.
    fn largest(&self) -> [usize; 2] {
        [0, 1]
            .map(|side| self.components.iter().map(|(_, factors)| usize::from(factors[side])).max().unwrap())
    }

    /// Number of units with a block of the largest factors, across and down.
    fn units(&self) -> [usize; 2] {
        let [horizontal, vertical] = self.largest();
        [usize::from(self.width).div_ceil(8 * horizontal), usize::from(self.height).div_ceil(8 * vertical)]
    }

    fn factors(&self, component: usize) -> [usize; 2] {
        self.components[component].1.map(usize::from)
    }

    /// Blocks of a component, row after row, up to whole units.
    fn coefficients(&self, component: usize) -> Vec<Block> {
        let mut random = Random(self.seed ^ (component as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let [across, down] = self.units();
        let [horizontal, vertical] = self.factors(component);
        let mut block = || {
            let mut block = [0; 64];
            block[0] = random.between(-80, 80);
            for _ in 0..random.between(0, 6) {
                block[usize::from(random.between(1, 63).unsigned_abs())] = random.between(-12, 12);
            }
            block
        };
        (0..across * horizontal * down * vertical).map(|_| block()).collect()
    }

    /// One scan: `parameters` are the first and last coefficient and the approximation.
    fn scan(&self, file: &mut Vec<u8>, components: &[usize], parameters: [u8; 3], planes: &[Vec<Block>]) {
        let mut header = vec![u8::try_from(components.len()).unwrap()];
        for &component in components {
            header.extend([self.components[component].0, 0]);
        }
        header.extend(parameters);
        segment(file, 0xDA, &header);
        let mut bits = Bits { file, waiting: 0, count: 0 };
        let mut previous = vec![0; planes.len()];
        let units = self.order(components);
        let last = units.len() - 1;
        for (number, unit) in units.iter().enumerate() {
            for &(component, block) in unit {
                bits.block(&planes[component][block], parameters, &mut previous[component]);
            }
            let interval = usize::from(self.restart_interval);
            if interval > 0 && (number + 1) % interval == 0 && number < last {
                bits.end();
                bits.file.extend([0xFF, 0xD0 | ((number / interval) % 8) as u8]);
                previous.fill(0);
            }
        }
        bits.end();
    }

    /// Component and place of the blocks of each unit of a scan (T.81, A.2).
    fn order(&self, components: &[usize]) -> Vec<Vec<(usize, usize)>> {
        let [across, down] = self.units();
        if let &[component] = components {
            let [horizontal, vertical] = self.factors(component);
            let largest = self.largest();
            let blocks = |side: u16, factor: usize, largest: usize| {
                (usize::from(side) * factor).div_ceil(largest).div_ceil(8)
            };
            let columns = blocks(self.width, horizontal, largest[0]);
            let rows = blocks(self.height, vertical, largest[1]);
            let place = |row: usize, column: usize| row * across * horizontal + column;
            return (0..rows)
                .flat_map(|row| (0..columns).map(move |column| vec![(component, place(row, column))]))
                .collect();
        }
        let unit = |row: usize, column: usize| {
            let mut blocks = Vec::new();
            for &component in components {
                let [horizontal, vertical] = self.factors(component);
                for y in row * vertical..(row + 1) * vertical {
                    for x in column * horizontal..(column + 1) * horizontal {
                        blocks.push((component, y * across * horizontal + x));
                    }
                }
            }
            blocks
        };
        (0..down)
            .flat_map(|row| (0..across).map(move |column| (row, column)))
            .map(|(row, column)| unit(row, column))
            .collect()
    }
}

/// Appends a segment.
pub fn segment(file: &mut Vec<u8>, marker: u8, contents: &[u8]) {
    file.extend([0xFF, marker]);
    file.extend(u16::try_from(contents.len() + 2).unwrap().to_be_bytes());
    file.extend(contents);
}

/// Entropy-coded data (T.81, F.1 and G.1).
struct Bits<'a> {
    file: &'a mut Vec<u8>,
    waiting: u32,
    count: u8,
}

impl Bits<'_> {
    fn put(&mut self, value: u16, bits: u8) {
        for bit in (0..bits).rev() {
            self.waiting = self.waiting << 1 | u32::from(value >> bit & 1);
            self.count += 1;
            if self.count == 8 {
                let byte = (self.waiting & 0xFF) as u8;
                self.file.push(byte);
                if byte == 0xFF {
                    self.file.push(0);
                }
                self.count = 0;
            }
        }
    }

    /// Fills the last byte with ones.
    fn end(&mut self) {
        if self.count > 0 {
            self.put(0xFF, 8 - self.count);
        }
    }

    /// A value's magnitude category.
    fn category(value: i16) -> u8 {
        (16 - value.unsigned_abs().leading_zeros()) as u8
    }

    /// The bits that tell a value within its category.
    fn value(&mut self, value: i16) {
        let bits = if value < 0 { value - 1 } else { value };
        self.put(bits as u16, Self::category(value));
    }

    fn block(&mut self, block: &Block, [first, last, approximation]: [u8; 3], previous: &mut i16) {
        if first == 0 {
            if approximation >> 4 > 0 {
                return self.put(block[0] as u16 & 1, 1);
            }
            let value = block[0] >> (approximation & 15);
            let difference = value - *previous;
            *previous = value;
            self.put(Self::category(difference).into(), DC_BITS);
            self.value(difference);
        }
        if last == 0 {
            return;
        }
        let mut zeros = 0;
        for value in &block[usize::from(first.max(1))..=usize::from(last)] {
            if *value == 0 {
                zeros += 1;
                continue;
            }
            while zeros > 15 {
                self.put(0xF0, AC_BITS);
                zeros -= 16;
            }
            self.put(zeros << 4 | u16::from(Self::category(*value)), AC_BITS);
            self.value(*value);
            zeros = 0;
        }
        if zeros > 0 {
            self.put(0, AC_BITS);
        }
    }
}

/// SplitMix64 (Steele 2014).
struct Random(u64);

impl Random {
    fn between(&mut self, least: i16, most: i16) -> i16 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        least + (mixed % (most - least + 1) as u64) as i16
    }
}
