# Recomputes the numbers of this report from ratings.csv and trials.csv, with base R, and prints them as JSON.
# Run it where the report was unpacked:  Rscript recompute.R > recomputed.json
# It was written apart from the platform's own statistics; recomputed.json and analysis.json should agree.

settings <- read.csv("settings.csv", stringsAsFactors = FALSE)
setting <- function(name) settings$value[settings$name == name]
alpha <- as.numeric(setting("alpha"))
margin <- as.numeric(setting("margin"))
images <- as.integer(setting("images"))
by_patient <- setting("unit") == "patient"
matched <- setting("matched") == "1"
right_choice <- setting("right_choice") == "1"
source("patients.R")
source("primary.R")
source("phases.R")

ratings <- read.csv("ratings.csv", stringsAsFactors = FALSE, quote = "\"")
ratings <- ratings[ratings$valid == 1 & ratings$excluded == 0, ]
raters <- read.csv("raters.csv", stringsAsFactors = FALSE)
raters <- sort(raters$rater[raters$excluded == 0])
trials <- read.csv("trials.csv", stringsAsFactors = FALSE)
numbers <- sort(unique(trials$trial))
# Trials of positive controls are counted apart.
ratings <- ratings[ratings$case %in% trials$case, ]

# Trials (rows) x raters: the number of the image that was chosen; 0 is the one to find.
chosen <- matrix(NA_real_, length(numbers), length(raters))
row <- match(ratings$case, trials$case)
where <- cbind(match(trials$trial[row], numbers), match(ratings$rater, raters))
chosen[where] <- trials$image[row]
sure <- chosen
sure[] <- NA
sure[where] <- ratings$confidence
counts <- t(apply(chosen, 1, function(own) tabulate(own + 1, images)))
first <- trials[trials$image == 0, ]
patient <- first$patient[match(numbers, first$trial)]
patient <- if (by_patient) match(patient, unique(patient)) else seq_along(numbers)

share_of <- function(d) {
  integrate(function(x) dnorm(x - d) * pnorm(x)^(images - 1), -Inf, Inf, rel.tol = 1e-10)$value
}
d_prime_of <- function(share) {
  if (is.na(share) || share <= 0 || share >= 1) return(NA)
  uniroot(function(d) share_of(d) - share, c(-8, 8), tol = 1e-11)$root
}
share_at <- function(area) share_of(sqrt(2) * qnorm(area))

# The weights of each trial are drawn with equal chance, one image of each: the sum's exact distribution.
joint <- function(weights) {
  if (sum(weights) == 0) return(list(right = 0, expected = NA, sd = NA, p = NA))
  null <- 1
  for (i in seq_len(nrow(weights))) {
    drawn <- tabulate(weights[i, ] + 1, max(weights[i, ]) + 1) / ncol(weights)
    sum <- numeric(length(null) + length(drawn) - 1)
    for (k in seq_along(drawn)) {
      here <- k - 1 + seq_along(null)
      sum[here] <- sum[here] + null * drawn[k]
    }
    null <- sum
  }
  values <- seq_along(null) - 1
  right <- sum(weights[, 1])
  expected <- sum(values * null)
  list(right = right, expected = expected, sd = sqrt(sum((values - expected)^2 * null)),
       p = min(1, 2 * min(sum(null[values >= right]), sum(null[values <= right]))))
}

reader <- function(j) {
  own <- chosen[!is.na(chosen[, j]), j]
  if (!length(own)) return(list(right = 0, n = 0))
  test <- binom.test(sum(own == 0), length(own), 1 / images, conf.level = 1 - alpha)
  list(right = sum(own == 0), n = length(own), share = mean(own == 0), low = test$conf.int[1], high = test$conf.int[2],
       p = test$p.value, d_prime = d_prime_of(mean(own == 0)))
}

# Pairs by confidence: ranks of how sure, doubled so that midranks are whole.
by_confidence <- function(j) {
  there <- !is.na(chosen[, j]) & !is.na(sure[, j])
  ranks <- 2 * rank(sure[there, j])
  hit <- chosen[there, j] == 0
  joint(cbind(ifelse(hit, ranks, 0), ifelse(hit, 0, ranks)))$p
}

# Mean squares of readers, patients and both from the readers' shares and their covariance over patients.
panel <- function() {
  right <- (chosen == 0) + 0
  there <- colSums(!is.na(right)) > 0
  right <- right[, there, drop = FALSE]
  readers <- ncol(right)
  shares <- colMeans(right, na.rm = TRUE)
  found <- list(share = mean(shares), d_prime = d_prime_of(mean(shares)))
  of <- max(patient)
  pulled <- sapply(seq_len(readers), function(j) {
    own <- !is.na(right[, j])
    others(tabulate(patient[own], of), sum(own)) * own_sums(right[own, j] - shares[j], patient[own], of)
  })
  covariance <- crossprod(pulled)
  answered <- rowSums(!is.na(right)) > 0
  units <- length(unique(patient[answered])) - 1
  repeated <- any(duplicated(patient))
  units_df <- if (repeated) over_patients(numeric(sum(answered)), rep(1, sum(answered)), patient[answered], c(0, 1))$df else units
  of_trials <- sum(covariance) / readers
  # Where an interval takes the trials alone for random, or hardly knows its variance, no margin is judged by it.
  trusted <- readers > 1
  if (readers == 1) {
    variance <- of_trials
    df <- units_df
  } else {
    of_readers <- var(shares)
    of_both <- sum(diag(covariance)) / readers -
      (sum(covariance) - sum(diag(covariance))) / (readers * (readers - 1))
    total <- of_readers + of_trials - of_both
    variance <- total / readers
    df <- total^2 / (of_readers^2 / (readers - 1) + of_trials^2 / units_df + of_both^2 / ((readers - 1) * units_df))
    if (variance <= 1e-12) {
      variance <- of_trials / readers
      df <- units_df
      trusted <- FALSE
    }
    if (df < 1) trusted <- FALSE
  }
  if (variance <= 1e-12) return(found)
  se <- sqrt(variance)
  half <- qt(1 - alpha / 2, df) * se
  inner <- qt(1 - alpha, df) * se
  low <- share_at(0.5 - margin)
  high <- share_at(0.5 + margin)
  c(found, list(se = se, df = df, low = max(0, mean(shares) - half), high = min(1, mean(shares) + half),
                p = 2 * pt(-abs(mean(shares) - 1 / images) / se, df), margin_low = low, margin_high = high,
                within = if (trusted) low <= mean(shares) - inner && mean(shares) + inner <= high else NA))
}

plurality <- function() {
  answered <- counts[rowSums(counts) > 0, , drop = FALSE]
  most <- apply(answered, 1, max)
  decided <- rowSums(answered == most) == 1
  right <- sum(answered[decided, 1] == most[decided])
  p <- if (any(decided)) binom.test(right, sum(decided), 1 / images)$p.value else NA
  list(right = right, decided = sum(decided), tied = sum(!decided), p = p)
}

agreement <- function() {
  both <- counts[rowSums(counts) >= 2, , drop = FALSE]
  if (!nrow(both)) return(list(observed = NA))
  n <- rowSums(both)
  observed <- mean(rowSums(both * (both - 1)) / (n * (n - 1)))
  share <- sum(counts[, 1]) / sum(counts)
  expected <- share^2 + (1 - share)^2 / (images - 1)
  list(observed = observed, expected = expected, kappa = (observed - expected) / (1 - expected))
}

arms <- function() {
  given <- tapply(trials$chosen, trials$trial, sum)[as.character(trials$trial)]
  lapply(split(data.frame(chosen = trials$chosen, choices = given), trials$arm), function(own) as.list(colSums(own)))
}

json <- function(value) {
  if (is.null(value) || (length(value) == 1 && is.na(value))) return("null")
  if (is.list(value)) {
    parts <- vapply(value, json, character(1))
    if (is.null(names(value))) return(paste0("[", paste(parts, collapse = ", "), "]"))
    return(paste0("{", paste0("\"", names(value), "\": ", parts, collapse = ", "), "}"))
  }
  if (is.character(value)) return(paste0("\"", value, "\""))
  if (is.logical(value)) return(if (value) "true" else "false")
  sprintf("%.17g", as.numeric(value))
}

readers <- lapply(seq_along(raters), reader)
p <- vapply(readers, function(own) if (is.null(own$p)) NA_real_ else own$p, numeric(1))
p_adjusted <- rep(NA_real_, length(p))
p_adjusted[!is.na(p)] <- p.adjust(p[!is.na(p)], method = "holm")
for (j in seq_along(readers)) readers[[j]]$p_adjusted <- p_adjusted[j]
confidence <- if (setting("confidence") == "1") lapply(seq_along(raters), by_confidence) else NULL
numbers_of_right <- if (right_choice) {
  # Images put together at random carry their patient: all trials of one are drawn together, and the larger p decides.
  together <- any(duplicated(patient)) && !matched
  exact <- joint(if (together) rowsum(counts, patient) else counts)
  share <- panel()
  decision_p <- if (together) max(exact$p, share$p) else exact$p
  list(joint = exact, decision_p = decision_p, panel = share, readers = readers, plurality = plurality(), agreement = agreement(),
       confidence = confidence)
} else list()
phases <- phases_of_archive(setting, alpha)
cat(json(c(numbers_of_right, list(arms = arms(), phases = phases, r = R.version.string))), "\n")
