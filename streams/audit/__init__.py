"""The audit chain: its Merkle tree, its links, its verification and its proofs. No I/O."""
