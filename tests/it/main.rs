//! The one integration binary: a module for each area.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod value_sets;
