# The image that was chosen of several. Read by recompute.R.
images <- as.integer(setting("images"))
scored <- FALSE
call_of <- function(ratings) rep(1L, nrow(ratings))
score_of <- call_of
