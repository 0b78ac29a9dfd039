# Levels of one scale; "cannot tell" counts as its middle. Read by recompute.R.
lowest <- as.numeric(setting("lowest"))
highest <- as.numeric(setting("highest"))
scored <- TRUE
place_of <- function(ratings) ifelse(ratings$answer == "cannot_tell", (lowest + highest) / 2, ratings$level)
rises_to_synthetic <- setting("towards") == "synthetic"
call_of <- function(ratings) as.integer((place_of(ratings) >= as.numeric(setting("cut_off"))) == rises_to_synthetic)
score_of <- function(ratings) if (rises_to_synthetic) place_of(ratings) else lowest + highest - place_of(ratings)
