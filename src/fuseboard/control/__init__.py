"""What operators see and do: the board, the operator API, the command line's views, `top`."""
