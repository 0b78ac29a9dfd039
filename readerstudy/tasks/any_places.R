# Any number of marked places: area under the weighted AFROC curve of every rater and of their mean, and what the same
# marks come to where they are set apart without looking. Read by recompute.R. Chakraborty & Zhai, Acad Radiol 2016;23:1297.
scored <- TRUE
call_of <- function(ratings) as.integer(ratings$answer == "synthetic")
score_of <- function(ratings) ifelse(is.na(ratings$confidence), 0, ratings$confidence)

numbers_in <- function(cell) if (is.na(cell) || cell == "") numeric(0) else as.numeric(strsplit(as.character(cell), ";")[[1]])
above <- function(a, b) (a > b) + (a == b) / 2

# Each case's places against one real score: as they were found, and expected with its marks set without looking,
# whose chances add up as they lie apart.
found_above <- function(rating, real) mean(above(numbers_in(rating$place_confidences), real))
chance_above <- function(rating, real) {
  marks <- sort(numbers_in(rating$marks_confidence), decreasing = TRUE)
  of_place <- function(p) {
    reached <- pmin(1, p * seq(0, length(marks)))
    sum(diff(reached) * above(marks, real)) + (1 - max(reached)) * above(0, real)
  }
  mean(vapply(numbers_in(rating$place_chances), of_place, numeric(1)))
}

placed_by <- function(ratings, study, kernel) {
  values <- study$scores
  values[] <- NA
  for (rater in colnames(study$scores)) {
    own <- ratings[as.character(ratings$rater) == rater, ]
    rows <- match(own$case, study$codes)
    synthetic <- which(own$truth == "synthetic" & !is.na(rows))
    real <- which(own$truth == "real" & !is.na(rows))
    if (min(length(synthetic), length(real)) == 0) next
    pairs <- outer(synthetic, real, Vectorize(function(i, k) kernel(own[i, ], score_of(own[k, ]))))
    values[rows[synthetic], rater] <- rowMeans(pairs)
    values[rows[real], rater] <- colMeans(pairs)
  }
  values
}

own_numbers <- function(ratings, study, alpha) {
  placed <- placed_by(ratings, study, found_above)
  by_chance <- placed_by(ratings, study, chance_above)
  panel_of <- function(values) {
    if (!enough_cases(study$scores, study$truth, study$patient)) return(NULL)
    averaged(areas_of(values, study$truth), spread_of(values, study$truth, study$patient, matrix(1, 2, ncol(values))), wary = 4)
  }
  panel <- judged(panel_of(placed), 0, 0, alpha, logit = FALSE)[c("estimate", "low", "high")]
  apart <- judged(panel_of(placed - by_chance), 0, 0, alpha, logit = FALSE)
  # Below chance means nothing: one-sided.
  panel$p <- if (is.na(apart$estimate)) NA else if (apart$estimate > 0) apart$p / 2 else 1 - apart$p / 2
  list(readers = as.list(unname(areas_of(placed, study$truth))), panel = panel,
       chance_area = mean(areas_of(by_chance, study$truth), na.rm = TRUE))
}
