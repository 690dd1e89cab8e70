"""Learning and measuring: from judgements and captions to profiles and figures."""
