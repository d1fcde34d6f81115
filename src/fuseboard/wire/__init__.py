"""The shapes of other people's protocols: HTTP, WebSocket, and Alpaca's REST and streams."""
