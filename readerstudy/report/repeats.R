# Agreement of raters with themselves on cases that were shown twice; read by recompute.R.
# Kappa is 1 less observed over expected disagreement, added up over raters; standard errors over patients
# (Fleiss, Cohen & Everitt 1969, with the influences of each patient's pairs summed).

# ratings: first and second answers without controls; units: the patient of each case, by its code
repeats_of <- function(ratings, raters, units, call_of, score_of, scored, alpha) {
  again <- ratings[ratings[["again"]] == 1, ]
  before <- ratings[ratings[["again"]] == 0, ]
  found <- match(paste(again$rater, again$case), paste(before$rater, before$case))
  again <- again[!is.na(found), ]
  before <- before[found[!is.na(found)], ]
  pairs <- data.frame(rater = again$rater, unit = units[as.character(again$case)], a = call_of(before),
                      b = call_of(again), s = if (scored) score_of(before) else NA,
                      t = if (scored) score_of(again) else NA)
  described <- function(own) {
    row <- list(n = nrow(own), same = if (nrow(own)) mean(own$a == own$b) else NA)
    row <- c(row, named("kappa", kappa_of(own, "a", "b", function(x, y) as.numeric(x != y), alpha)))
    if (scored) row <- c(row, named("weighted_kappa", kappa_of(own, "s", "t", function(x, y) (x - y)^2, alpha)))
    row
  }
  each <- lapply(raters, function(j) c(list(rater = as.character(j)), described(pairs[pairs$rater == j, ])))
  list(raters = each, panel = described(pairs))
}

named <- function(name, values) setNames(values, c(name, paste0(name, c("_low", "_high"))))

kappa_of <- function(pairs, first, second, distance, alpha) {
  parts <- lapply(split(pairs, pairs$rater), function(own) {
    table <- outer(own[[first]], own[[second]], distance)
    list(observed = distance(own[[first]], own[[second]]), expected = sum(table) / nrow(own),
         chance = rowMeans(table) + colMeans(table) - mean(table), unit = own$unit)
  })
  all_of <- function(name) unlist(lapply(parts, `[[`, name), use.names = FALSE)
  expected <- sum(all_of("expected"))
  if (!length(parts) || expected == 0) return(list(NA, NA, NA))
  ratio <- sum(all_of("observed")) / expected
  influence <- tapply((ratio * all_of("chance") - all_of("observed")) / expected, all_of("unit"), sum)
  m <- length(influence)
  se <- sqrt(sum(influence^2) * m / (m - 1))
  if (m < 2 || se < 1e-14) return(list(1 - ratio, NA, NA))
  half <- qt(1 - alpha / 2, m - 1) * se
  list(1 - ratio, max(-1, 1 - ratio - half), min(1, 1 - ratio + half))
}
