//! TFLite files built by hand: a FlatBuffer of the tables and fields of TensorFlow Lite's schema 3 that the kernels read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

/// A table: its fields by their place in the schema's declaration.
#[derive(Debug, Clone, Default)]
pub struct Table(pub Vec<(usize, Field)>);

/// What a field of a table holds.
#[derive(Debug, Clone)]
pub enum Field {
    /// A number of 8 bits, or a switch.
    Byte(u8),
    /// A number of 32 bits.
    Int(i32),
    /// A text or a list of bytes.
    Bytes(Vec<u8>),
    /// A list of numbers of 32 bits.
    Ints(Vec<i32>),
    /// A table.
    Table(Table),
    /// A list of tables.
    Tables(Vec<Table>),
    /// A list that names one table so many times.
    Repeated(Table, usize),
}

impl Table {
    /// Writes the table and all that it holds behind what there is, and gives its place.
    fn write(&self, file: &mut Vec<u8>) -> usize {
        let slots = self.0.iter().map(|(slot, _)| slot + 1).max().unwrap_or(0);
        let mut offsets = vec![0; slots];
        for (index, (slot, _)) in self.0.iter().enumerate() {
            offsets[*slot] = 4 + 4 * index;
        }
        align(file);
        let vtable = file.len();
        for number in [4 + 2 * slots, 4 + 4 * self.0.len()].into_iter().chain(offsets) {
            file.extend(u16::try_from(number).unwrap().to_le_bytes());
        }
        align(file);
        let table = file.len();
        file.extend(u32::try_from(table - vtable).unwrap().to_le_bytes());
        let fields = file.len();
        file.resize(fields + 4 * self.0.len(), 0);
        for (index, (_, field)) in self.0.iter().enumerate() {
            let at = fields + 4 * index;
            match field {
                Field::Byte(byte) => file[at] = *byte,
                Field::Int(number) => file[at..at + 4].copy_from_slice(&number.to_le_bytes()),
                Field::Bytes(bytes) => {
                    list(file, at, bytes.len());
                    file.extend(bytes);
                }
                Field::Ints(numbers) => {
                    list(file, at, numbers.len());
                    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
                }
                Field::Table(child) => {
                    let place = child.write(file);
                    point(file, at, place);
                }
                Field::Tables(children) => {
                    let first = list(file, at, children.len());
                    file.resize(first + 4 * children.len(), 0);
                    for (child, at) in children.iter().zip((first..).step_by(4)) {
                        let place = child.write(file);
                        point(file, at, place);
                    }
                }
                Field::Repeated(child, times) => {
                    let first = list(file, at, *times);
                    file.resize(first + 4 * times, 0);
                    let place = child.write(file);
                    (first..).step_by(4).take(*times).for_each(|at| point(file, at, place));
                }
            }
        }
        table
    }
}

fn align(file: &mut Vec<u8>) {
    file.resize(file.len().next_multiple_of(4), 0);
}

/// Has the field at `at` point to `place`.
fn point(file: &mut [u8], at: usize, place: usize) {
    file[at..at + 4].copy_from_slice(&u32::try_from(place - at).unwrap().to_le_bytes());
}

/// Begins a list that the field at `at` points to, and gives the place of its first element.
fn list(file: &mut Vec<u8>, at: usize, length: usize) -> usize {
    align(file);
    let place = file.len();
    point(file, at, place);
    file.extend(u32::try_from(length).unwrap().to_le_bytes());
    file.len()
}

/// TensorFlow Lite's element type float32.
pub const FLOAT32: u8 = 0;
/// TensorFlow Lite's element type float16.
pub const FLOAT16: u8 = 1;
/// TensorFlow Lite's element type int32.
pub const INT32: u8 = 2;

/// A network of one graph.
#[derive(Debug, Clone, Default)]
pub struct Network {
    tensors: Vec<Table>,
    buffers: Vec<Table>,
    codes: Vec<Table>,
    operators: Vec<Table>,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
}

impl Network {
    /// Adds a tensor with the little-endian elements `data`, none for what is computed, and gives its index.
    ///
    /// # Panics
    /// Never with sizes that fit into a file.
    pub fn tensor(&mut self, shape: &[i32], kind: u8, data: &[u8], sparsity: Option<Table>) -> i32 {
        let index = i32::try_from(self.tensors.len()).unwrap();
        let name = format!("t{index}");
        let mut fields = vec![
            (0, Field::Ints(shape.to_vec())),
            (1, Field::Byte(kind)),
            (2, Field::Int(index)),
            (3, Field::Bytes(name.into_bytes())),
        ];
        fields.extend(sparsity.map(|sparsity| (6, Field::Table(sparsity))));
        self.tensors.push(Table(fields));
        self.buffers.push(Table(vec![(0, Field::Bytes(data.to_vec()))]));
        index
    }

    /// Adds an input of the network.
    pub fn input(&mut self, shape: &[i32]) -> i32 {
        let tensor = self.tensor(shape, FLOAT32, &[], None);
        self.inputs.push(tensor);
        tensor
    }

    /// Adds a float32 constant with values from -0.5 to 0.5.
    pub fn weights(&mut self, shape: &[i32]) -> i32 {
        let count: i32 = shape.iter().product();
        let values = (0..count).map(|index| ((index * 7 + 3) % 17 - 8) as f32 / 16.0);
        let data: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        self.tensor(shape, FLOAT32, &data, None)
    }

    /// Adds a one-dimensional int32 constant.
    ///
    /// # Panics
    /// Never with sizes that fit into a file.
    pub fn ints(&mut self, values: &[i32]) -> i32 {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(&[i32::try_from(values.len()).unwrap()], INT32, &data, None)
    }

    /// Adds an operator of that code of `BuiltinOperator`, with its options and their kind in the union `BuiltinOptions`, and
    /// gives the tensor that it computes.
    ///
    /// # Panics
    /// Never with sizes that fit into a file.
    pub fn operator(&mut self, code: u8, options: (u8, Table), inputs: &[i32], shape: &[i32]) -> i32 {
        let output = self.tensor(shape, FLOAT32, &[], None);
        let index = i32::try_from(self.codes.len()).unwrap();
        self.codes.push(Table(vec![(0, Field::Byte(code))]));
        self.operators.push(Table(vec![
            (0, Field::Int(index)),
            (1, Field::Ints(inputs.to_vec())),
            (2, Field::Ints(vec![output])),
            (3, Field::Byte(options.0)),
            (4, Field::Table(options.1)),
        ]));
        output
    }

    /// CONV_2D, or DEPTHWISE_CONV_2D where the weights' first dimension is 1, of weights `[_, rows, columns, _]`, as far apart as
    /// `stride` says; with padding SAME, or else VALID.
    pub fn convolution(
        &mut self,
        depthwise: bool,
        [input, weights]: [i32; 2],
        stride: i32,
        same: bool,
        shape: &[i32],
    ) -> i32 {
        let padding = Field::Byte(u8::from(!same));
        let options = Table(vec![(0, padding), (1, Field::Int(stride)), (2, Field::Int(stride))]);
        let (code, kind) = if depthwise { (4, 2) } else { (3, 1) };
        self.operator(code, (kind, options), &[input, weights], shape)
    }

    /// ADD.
    pub fn add(&mut self, inputs: [i32; 2], shape: &[i32]) -> i32 {
        self.operator(0, (11, Table::default()), &inputs, shape)
    }

    /// PAD by so many rows above and below, and so many columns before and behind.
    pub fn pad(&mut self, input: i32, rows: [i32; 2], columns: [i32; 2], shape: &[i32]) -> i32 {
        let padding = self.ints(&[0, 0, rows[0], rows[1], columns[0], columns[1], 0, 0]);
        self.operator(34, (0, Table::default()), &[input, padding], shape)
    }

    /// Makes a tensor an output of the network.
    pub fn output(&mut self, tensor: i32) {
        self.outputs.push(tensor);
    }

    /// The file's content.
    ///
    /// # Panics
    /// Never with sizes that fit into a file.
    pub fn file(&self) -> Vec<u8> {
        let graph = Table(vec![
            (0, Field::Tables(self.tensors.clone())),
            (1, Field::Ints(self.inputs.clone())),
            (2, Field::Ints(self.outputs.clone())),
            (3, Field::Tables(self.operators.clone())),
        ]);
        file(&Table(vec![
            (1, Field::Tables(self.codes.clone())),
            (2, Field::Tables(vec![graph])),
            (4, Field::Tables(self.buffers.clone())),
        ]))
    }
}

/// A file with that root.
///
/// # Panics
/// Never with sizes that fit into a file.
pub fn file(model: &Table) -> Vec<u8> {
    let mut file = b"\0\0\0\0TFL3".to_vec();
    let place = model.write(&mut file);
    point(&mut file, 0, place);
    file
}
