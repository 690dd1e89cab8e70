"""The long proofs: kills, faults, damage, contention, hostile files. `make soak` runs them."""
