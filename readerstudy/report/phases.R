# The change against the earlier phase, from phase_answers.csv; read by recompute.R after patients.R and primary.R.
# Readers and patients are random (Obuchowski & Rockette 1995, Hillis 2014); where both phases show the same images the
# answers of both are exchanged per patient too, for all readers at once.

MOST_PATIENTS_EXACT <- 12

# NULL where nothing was compared. scored: answers are scores and the measure is the area; otherwise right answers.
phases_of <- function(answers, scored, same, side, margin, alpha, exchanges = 2000) {
  if (!nrow(answers)) return(NULL)
  readers <- sort(unique(answers$rater))
  phases <- lapply(1:2, function(phase) {
    own <- answers[answers$phase == phase, ]
    phase_of(own, readers, if (same) answers else own)
  })
  if (same) {
    both <- !is.na(phases[[1]]$values) & !is.na(phases[[2]]$values)
    for (k in 1:2) phases[[k]]$values[!both] <- NA
  }
  found <- lapply(phases, measured_in_phase, scored = scored)
  gaps <- found[[2]]$estimates - found[[1]]$estimates
  there <- !is.na(gaps)
  result <- list(first = mean(found[[1]]$estimates[there]), second = mean(found[[2]]$estimates[there]),
                 difference = mean(gaps[there]))
  tested <- change_test(gaps, less_spread(found[[2]]$spread, found[[1]]$spread))
  if (!is.null(tested)) {
    half <- qt(1 - alpha / 2, tested$df) * tested$se
    result <- c(result, list(se = tested$se, df = tested$df, low = max(-1, result$difference - half),
                             high = min(1, result$difference + half),
                             p = p_of_side(result$difference / tested$se, tested$df, side)))
    if (!is.na(margin) && sum(there) > 1) {
      inner <- qt(1 - alpha, tested$df) * tested$se
      result <- c(result, list(
        equivalence_low = result$difference - inner, equivalence_high = result$difference + inner,
        equivalence_p = max(pt((result$difference + margin) / tested$se, tested$df, lower.tail = FALSE),
                            pt((result$difference - margin) / tested$se, tested$df))))
    }
  }
  if (same) result$exchange_p <- exchange_p(phases, scored, side, exchanges)
  result
}

# Images (rows) x readers of one phase; `shown` has a row of every image, with an answer in this phase or not.
phase_of <- function(own, readers, shown) {
  images <- sort(unique(shown$image))
  values <- matrix(NA_real_, length(images), length(readers))
  values[cbind(match(own$image, images), match(own$rater, readers))] <- own$answer
  first <- match(images, shown$image)
  list(values = values, truth = shown$truth[first], patient = shown$unit[first])
}

measured_in_phase <- function(phase, scored) {
  if (scored) {
    placed <- placements(phase$values, phase$truth)
    spread <- spread_of(placed, phase$truth, phase$patient, matrix(1, 2, ncol(placed)))
    return(list(estimates = areas_of(placed, phase$truth), spread = spread))
  }
  correct <- (phase$values == phase$truth) + 0
  spread <- spread_of(correct, phase$truth, phase$patient, shares_of_kinds(phase$values, phase$truth))
  list(estimates = colMeans(correct, na.rm = TRUE), spread = spread)
}

# Patients have the same number in both phases.
less_spread <- function(one, other) {
  of <- max(nrow(one$contributions), nrow(other$contributions))
  padded <- function(table) rbind(table, matrix(0, of - nrow(table), ncol(table)))
  list(contributions = padded(one$contributions) - padded(other$contributions),
       determined = one$determined & other$determined, df = min(one$df, other$df))
}

change_test <- function(gaps, spread) {
  found <- averaged(gaps, spread, cautious = 4, wary = 4)
  if (!is.null(found)) return(found)
  # One reader: nothing tells how readers differ.
  there <- !is.na(gaps)
  variance <- sum(rowMeans(spread$contributions[, there, drop = FALSE])^2)
  if (!any(there) || !all(spread$determined[there]) || variance < 1e-20) return(NULL)
  list(se = sqrt(variance), df = spread$df)
}

p_of_side <- function(statistic, df, side) {
  switch(side, two_sided = 2 * pt(-abs(statistic), df), higher = pt(statistic, df, lower.tail = FALSE),
         lower = pt(statistic, df))
}

exchange_p <- function(phases, scored, side, exchanges) {
  units <- sort(unique(phases[[1]]$patient))
  extent <- function(swapped) {
    swapped <- swapped[match(phases[[1]]$patient, units)]
    before <- phases[[1]]$values
    after <- phases[[2]]$values
    before[swapped, ] <- phases[[2]]$values[swapped, ]
    after[swapped, ] <- phases[[1]]$values[swapped, ]
    estimates <- lapply(list(before, after), function(values) {
      measured_in_phase(modifyList(phases[[1]], list(values = values)), scored)$estimates
    })
    change <- mean(estimates[[2]] - estimates[[1]], na.rm = TRUE)
    switch(side, two_sided = abs(change), higher = change, lower = -change)
  }
  seen <- extent(rep(FALSE, length(units)))
  if (is.nan(seen)) return(NA)
  if (length(units) <= MOST_PATIENTS_EXACT) {
    ways <- as.matrix(expand.grid(rep(list(c(FALSE, TRUE)), length(units))))
    return(mean(apply(ways, 1, extent) >= seen - 1e-9))
  }
  drawn <- replicate(exchanges, extent(runif(length(units)) < 0.5))
  (1 + sum(drawn >= seen - 1e-9)) / (1 + exchanges)
}

phases_of_archive <- function(setting, alpha) {
  answers <- read.csv("phase_answers.csv", stringsAsFactors = FALSE)
  if (!nrow(answers)) return(NULL)
  phases_of(answers, setting("phase_scored") == "1", setting("phase_same") == "1", setting("phase_side"),
            as.numeric(setting("phase_margin")), alpha)
}
