"""The words every other room speaks: identifiers, money, inputs, effects, reasons, postures."""
