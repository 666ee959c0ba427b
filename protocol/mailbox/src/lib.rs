//! What a relay and its clients do: cells, chains, cover and its budget, as values.
