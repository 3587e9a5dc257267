"""What would change the decision: the nearest changes the applicant may make, each verified by the model."""
