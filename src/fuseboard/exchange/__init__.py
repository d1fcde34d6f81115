"""The simulated exchange: an Alpaca-compatible broker whose ledger tests take as the truth."""
