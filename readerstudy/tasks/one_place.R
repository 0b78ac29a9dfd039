# One marked place per case: area under the LROC curve of every rater and of their mean. Read by recompute.R.
# A synthetic case counts where it was found (mark_hit) and scored above a real one: Popescu, Med Phys 2007;34:1556.
own_numbers <- function(ratings, study, alpha) {
  where <- cbind(match(ratings$case, study$codes), match(ratings$rater, colnames(study$scores)))
  hits <- study$scores
  hits[] <- 0
  hits[where] <- ifelse(is.na(ratings$mark_hit), 0, ratings$mark_hit)
  placed <- placements(study$scores, study$truth)
  for (j in seq_len(ncol(placed))) {
    synthetic <- which(study$truth == 1 & !is.na(study$scores[, j]))
    real <- which(study$truth == 0 & !is.na(study$scores[, j]))
    if (min(length(synthetic), length(real)) == 0) next
    above <- outer(study$scores[synthetic, j], study$scores[real, j], function(a, b) (a > b) + (a == b) / 2)
    above <- above * hits[synthetic, j]
    placed[synthetic, j] <- rowMeans(above)
    placed[real, j] <- colMeans(above)
  }
  areas <- areas_of(placed, study$truth)
  synthetic <- ratings[ratings$truth == "synthetic", ]
  chance <- mean(synthetic$mark_chance[!duplicated(synthetic$case)])
  found <- NULL
  if (enough_cases(study$scores, study$truth, study$patient)) {
    found <- averaged(areas, spread_of(placed, study$truth, study$patient, matrix(1, 2, ncol(placed))), wary = 4)
  }
  panel <- judged(found, chance / 2, 0, alpha, logit = FALSE)[c("estimate", "low", "high", "p")]
  # Below chance means nothing: one-sided.
  if (!is.na(panel$estimate)) panel$p <- if (panel$estimate > chance / 2) panel$p / 2 else 1 - panel$p / 2
  list(readers = as.list(unname(areas)), panel = panel, chance_area = chance / 2)
}
