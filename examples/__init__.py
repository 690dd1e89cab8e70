"""Photos to try pixquery on; `models add` checks what a new model makes of them."""
