"""One module per broker, each behind `vocabulary.doors.Broker`. An adapter decides no risk."""
