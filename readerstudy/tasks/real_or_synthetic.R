# Answers "real" or "synthetic", with confidence where it was asked. Read by recompute.R.
levels_of_confidence <- as.integer(setting("confidence_levels"))
scored <- levels_of_confidence > 0
call_of <- function(ratings) as.integer(ratings$answer == "synthetic")
score_of <- function(ratings) {
  ifelse(call_of(ratings) == 1, levels_of_confidence + ratings$confidence, levels_of_confidence + 1 - ratings$confidence)
}
