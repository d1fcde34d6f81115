"""The halts register and its history: what stays halted when everything else is gone."""
