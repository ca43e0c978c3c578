//! AdamW (Loshchilov and Hutter 2019). candle's keeps its moments to itself, so a training that was killed could not go
//! on as if nothing had happened; these can be saved.

use std::collections::HashMap;

use anyhow::{Context, Result};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

/// Decay of the mean of the gradients.
const BETA_1: f64 = 0.9;
/// Decay of the mean of their squares.
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The variables of one network with the moments of their gradients.
pub struct AdamW {
    variables: Vec<Moments>,
    /// Updates made.
    steps: i32,
}

struct Moments {
    name: &'static str,
    variable: Var,
    mean: Tensor,
    square: Tensor,
}

impl AdamW {
    /// No update made yet.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn new(variables: Vec<(&'static str, Var)>) -> Result<Self> {
        let variables = variables.into_iter().map(|(name, variable)| {
            let zero = variable.zeros_like()?;
            Ok(Moments { name, variable, mean: zero.clone(), square: zero })
        });
        Ok(Self { variables: variables.collect::<Result<_>>()?, steps: 0 })
    }

    /// One update.
    ///
    /// # Errors
    /// As candle gives them.
    pub fn step(&mut self, gradients: &GradStore, rate: f64, weight_decay: f64) -> Result<()> {
        self.steps += 1;
        let [unbias_1, unbias_2] = [BETA_1, BETA_2].map(|beta| 1.0 / (1.0 - beta.powi(self.steps)));
        for Moments { variable, mean, square, .. } in &mut self.variables {
            let Some(gradient) = gradients.get(variable) else { continue };
            // Or the moments would keep every step's computation in memory.
            let gradient = gradient.detach();
            *mean = ((&*mean * BETA_1)? + (&gradient * (1.0 - BETA_1))?)?;
            *square = ((&*square * BETA_2)? + (gradient.sqr()? * (1.0 - BETA_2))?)?;
            let change = ((&*mean * unbias_1)? / ((&*square * unbias_2)?.sqrt()? + EPSILON)?)?;
            let kept = (variable.as_tensor() * (1.0 - rate * weight_decay))?;
            variable.set(&(kept - (change * rate)?)?)?;
        }
        Ok(())
    }

    /// The moments, their names behind `prefix`.
    pub fn tensors(&self, prefix: &str) -> impl Iterator<Item = (String, Tensor)> {
        self.variables.iter().flat_map(move |one| {
            [
                (format!("{prefix}mean.{}", one.name), one.mean.clone()),
                (format!("{prefix}square.{}", one.name), one.square.clone()),
            ]
        })
    }

    /// Takes over the moments whose names begin with `prefix`, after `steps` updates.
    ///
    /// # Errors
    /// A tensor is missing.
    pub fn set(&mut self, tensors: &HashMap<String, Tensor>, prefix: &str, steps: i32) -> Result<()> {
        let find = |kind: &str, name: &str| {
            tensors
                .get(&format!("{prefix}{kind}.{name}"))
                .cloned()
                .with_context(|| format!("no moments of {name}"))
        };
        for one in &mut self.variables {
            one.mean = find("mean", one.name)?;
            one.square = find("square", one.name)?;
        }
        self.steps = steps;
        Ok(())
    }
}
